"""Requests that nobody would think of."""

import json

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from served_reader import GOOD, JSON, NASTY, PICTURE, read_message

NAMES = st.sampled_from(["image", "columns", "data", "index", "x"]) | st.text(max_size=5)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(PICTURE),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
TABLES = st.lists(st.dictionaries(st.sampled_from(["image", "id"]), VALUES, min_size=1), max_size=4)
FORMS = st.sampled_from(["inputs", "instances", "dataframe_records", "dataframe_split", "params", "messages"])
REQUESTS = st.dictionaries(FORMS, TABLES | VALUES, max_size=2)
CUT = st.tuples(st.integers(0, len(GOOD)), st.binary(max_size=4), st.integers(0, 8)).map(
    lambda cut: GOOD[: cut[0]] + cut[1] + GOOD[cut[0] + cut[2] :]
)
BODIES = (REQUESTS | VALUES).map(lambda request: json.dumps(request).encode()) | st.binary(max_size=60) | CUT
KINDS = (
    st.just(JSON)
    | st.sampled_from(["text/csv", "application/json; charset=latin-1", "a/b; c*=x"])
    | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)
)


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(body=BODIES, kind=KINDS)
@example(body=GOOD, kind=JSON)
@example(body=NASTY["nested"], kind=JSON)
@example(body=NASTY["5,000 digits"], kind=JSON)
@example(body=NASTY["not UTF-8"], kind=JSON)
@example(body=b"", kind="")
def test_whatever_is_sent_is_answered_or_refused(client, body, kind):
    response = client.post(body, kind)
    assert response.status_code in {200, 400, 415}
    if response.status_code == 200:
        assert response.json()["predictions"]
    else:
        read_message(response)

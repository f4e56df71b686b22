"""Addresses of object stores."""

import pytest

from leukoscope.core.errors import InputError
from leukoscope.core.objects import require_folder


@pytest.mark.parametrize(
    "endpoint",
    ["nonsense", "ftp://store", "http://", "http://store/path", "http://store?x=1", "https://me:secret@store"],
)
def test_an_endpoint_of_which_a_part_would_be_left_out_is_refused(monkeypatch, endpoint):
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    with pytest.raises(InputError, match="expected an address like https://storage") as caught:
        require_folder("s3://bucket/folder")
    assert "secret" not in str(caught.value)

"""Whatever is given as parameters is taken, or refused in one line."""

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from leukoscope.core.errors import InputError

BOUNDED = settings(
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],  # a session costs too much time for shrinking
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**6), 10**6),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(
        ["none", "auto", "all", "appearance", "Benign", "1 of 5", "0.5", "${globals:data}", "${x", "~", "\0", "é"]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=5,
)

# What holds names of classes.
OPEN = ("external", "ingestion")


def flatten(values: dict, prefix: tuple = ()) -> list[tuple]:
    paths = [(*prefix, name) for name in values]
    deeper = [flatten(value, (*prefix, name)) for name, value in values.items() if isinstance(value, dict)]
    return paths + [path for inner in deeper for path in inner]


@pytest.fixture(scope="module")
def paths(project_path, tmp_path_factory) -> list[tuple]:
    """All parameters, by their names from the outermost on."""
    environment = pytest.MonkeyPatch()
    environment.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db")
    bootstrap_project(project_path)
    with KedroSession.create(project_path, env="demo") as session:
        yield flatten(session.load_context().config_loader["parameters"])
    environment.undo()


def load(project_path, path: tuple, value: object) -> str | None:
    """Set one parameter; give the error's message, if there is one."""
    parameters: object = value
    for name in reversed(path):
        parameters = {name: parameters}
    try:
        with KedroSession.create(project_path, env="demo", runtime_params=parameters) as session:
            session.load_context()
    except InputError as error:
        return str(error)
    return None


def require_a_line_at_most(project_path, paths, number: int, value: object) -> None:
    message = load(project_path, paths[number % len(paths)], value)
    assert message is None or "\n" not in message
    assert message is None or len(message) < 2000


@settings(BOUNDED, max_examples=4)
@given(number=st.integers(0, 10**4), value=VALUES)
@example(number=0, value=float("nan"))
@example(number=0, value="9" * 5000)
@example(number=1, value={"": {"": None}})
def test_any_value_of_any_parameter_is_taken_or_refused_in_a_line(project_path, paths, number, value):
    require_a_line_at_most(project_path, paths, number, value)


@pytest.mark.slow
@settings(BOUNDED, max_examples=100)
@given(number=st.integers(0, 10**4), value=VALUES)
def test_a_hundred_more_values_of_parameters_are_taken_or_refused_in_a_line(project_path, paths, number, value):
    require_a_line_at_most(project_path, paths, number, value)


def require_a_refusal(project_path, paths, number: int, name: str, value: object) -> None:
    inner = sorted({path[:-1] for path in paths if len(path) > 1 and path[0] not in OPEN})
    path = (*inner[number % len(inner)], f"x{name}")
    message = load(project_path, path, value)
    assert message is not None
    assert "\n" not in message


NAMES = st.text(min_size=1, max_size=12)


@settings(BOUNDED, max_examples=3)
@given(number=st.integers(0, 10**4), name=NAMES, value=SCALARS)
def test_any_unknown_name_anywhere_is_refused_in_a_line(project_path, paths, number, name, value):
    require_a_refusal(project_path, paths, number, name, value)


@pytest.mark.slow
@settings(BOUNDED, max_examples=25)
@given(number=st.integers(0, 10**4), name=NAMES, value=SCALARS)
def test_more_unknown_names_are_refused_in_a_line(project_path, paths, number, name, value):
    require_a_refusal(project_path, paths, number, name, value)

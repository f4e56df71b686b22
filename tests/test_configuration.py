import pytest

from leukoscope.configuration import WorkspaceConfigLoader
from leukoscope.core.errors import InputError
from leukoscope.entries import read_entries


def test_entries_have_names_for_whatever_reads_a_project_without_its_hooks(tmp_path):
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "parameters.yml").write_text("models:\n  own: {kind: network}\n  other: {name: else}\n")
    loader = WorkspaceConfigLoader(str(tmp_path), base_env="base", default_run_env="base")
    assert loader["parameters"]["models"] == {"own": {"name": "own", "kind": "network"}, "other": {"name": "else"}}


def test_what_is_no_table_of_entries_is_left_to_the_hooks(tmp_path):
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "parameters.yml").write_text("models: [own]\n")
    loader = WorkspaceConfigLoader(str(tmp_path), base_env="base", default_run_env="base")
    assert loader["parameters"] == {"models": ["own"]}


@pytest.mark.parametrize("key", ["parameters", "globals", "catalog"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"5", "is no table. Expected lines like `name: value`"),
        (b"- a", "is no table"),
        ("a: \u00e4".encode("utf-16"), "is not in UTF-8"),
        (b"a: 1\na: 2", "duplicate key a"),
        (b"a: [", "is no YAML: "),
    ],
)
def test_a_file_that_is_no_table_is_named(tmp_path, key, content, message):
    for env in ("base", "local"):
        (tmp_path / env).mkdir()
        (tmp_path / env / f"{key}.yml").write_text("b: {}\n")
    wrong = tmp_path / "local" / f"{key}.yml"
    wrong.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        WorkspaceConfigLoader(str(tmp_path), base_env="base", default_run_env="local")[key]
    assert str(wrong) in str(caught.value)


@pytest.mark.parametrize("value", ["5", "null", "[a]", "''"])
def test_the_folder_of_the_data_is_a_path(tmp_path, value):
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "globals.yml").write_text(f"data: {value}\n")
    with pytest.raises(InputError, match=r"data in globals\.yml is .*: expected the path of a folder"):
        WorkspaceConfigLoader(str(tmp_path), base_env="base", default_run_env="base")["globals"]


@pytest.mark.parametrize("file", ["parameters_models", "globals"])
def test_entries_that_are_read_before_a_session_name_the_file_too(tmp_path, file):
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / f"{file}.yml").write_text("5")
    with pytest.raises(InputError, match=rf"{file}\.yml is no table"):
        read_entries(tmp_path, env="base")

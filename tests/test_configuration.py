import pytest
from yaml import YAMLError

from leukoscope.configuration import WorkspaceConfigLoader


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
    ("content", "error", "message"),
    [
        (b"5", ValueError, "is no table: expected lines like `name: value`"),
        (b"- a", ValueError, "is no table"),
        ("a: \u00e4".encode("utf-16"), ValueError, "is no YAML in UTF-8"),
        (b"a: 1\na: 2", YAMLError, "duplicate key a"),
        (b"a: [", YAMLError, "is no YAML in UTF-8"),
    ],
)
def test_a_file_that_is_no_table_is_named(tmp_path, key, content, error, message):
    for env in ("base", "local"):
        (tmp_path / env).mkdir()
        (tmp_path / env / f"{key}.yml").write_text("b: {}\n")
    wrong = tmp_path / "local" / f"{key}.yml"
    wrong.write_bytes(content)
    with pytest.raises(error, match=message) as caught:
        WorkspaceConfigLoader(str(tmp_path), base_env="base", default_run_env="local")[key]
    assert str(wrong) in str(caught.value)


@pytest.mark.parametrize("value", ["5", "null", "[a]", "''"])
def test_the_folder_of_the_data_is_a_path(tmp_path, value):
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "globals.yml").write_text(f"data: {value}\n")
    with pytest.raises(ValueError, match=r"data in globals\.yml is .*: expected the path of a folder"):
        WorkspaceConfigLoader(str(tmp_path), base_env="base", default_run_env="base")["globals"]

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

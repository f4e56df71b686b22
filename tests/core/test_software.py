from importlib import metadata

from leukoscope.core import software


def test_versions_of_what_computes_are_named(tmp_path):
    named = software.describe_software(tmp_path)
    assert named["keras"] == metadata.version("keras")
    assert named["commit"] is None


def test_a_missing_tensorflow_is_left_out(tmp_path, monkeypatch):
    """Under another backend nothing needs it."""

    def find(package: str) -> str:
        if package == "tensorflow":
            raise metadata.PackageNotFoundError(package)
        return "1.0"

    monkeypatch.setattr(software, "version", find)
    named = software.describe_software(tmp_path)
    assert "tensorflow" not in named
    assert named["keras"] == "1.0"

"""What is done when a module is imported, whoever imports it."""

import importlib
import sys

import pytest

from leukoscope.core import imports


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module that nobody has imported, and what happened meanwhile."""
    (tmp_path / "not_yet_imported.py").write_text("WORD = 'as written'\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "not_yet_imported"
    sys.modules.pop("not_yet_imported", None)
    imports._FINDER.loading.pop("not_yet_imported", None)


def test_what_is_asked_for_last_is_done_once_the_module_is_whole(module):
    done = []
    imports.when_imported(module, lambda: done.append("first"))
    imports.when_imported(module, lambda: done.append(sys.modules[module].WORD))
    assert done == []
    for _ in range(2):
        importlib.import_module(module)
    assert done == ["as written"]


def test_what_is_imported_already_is_not_waited_for(module):
    importlib.import_module(module)
    done = []
    imports.when_imported(module, lambda: done.append("now"))
    assert done == ["now"]


def test_a_function_may_load_later_or_otherwise(module):
    def load_otherwise(empty, load) -> None:
        assert not hasattr(empty, "WORD")
        load(empty)
        empty.WORD = "otherwise"

    imports.load_by(module, load_otherwise)
    assert importlib.import_module(module).WORD == "otherwise"

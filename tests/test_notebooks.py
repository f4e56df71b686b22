"""The notebooks: valid, without outputs, and about data sets that there are."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

from leukoscope.entries import list_entries
from leukoscope.pipeline_registry import register_pipelines

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def code_of(notebook) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def test_there_are_notebooks():
    assert NOTEBOOKS


def test_it_is_valid(notebook):
    nbformat.validate(notebook)


def test_it_is_stripped(notebook):
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.source for cell in cells if cell.outputs or cell.execution_count is not None] == []


def test_its_code_compiles(notebook):
    for source in code_of(notebook):
        ast.parse(source)


def test_it_loads_data_sets_that_there_are(notebook):
    names = re.findall(r'catalog\.load\(f?"([^"]+)"\)', "\n".join(code_of(notebook)))
    known = set.union(*(pipeline.datasets() for pipeline in register_pipelines().values()))
    loaded = {name.replace("{MODEL}", model) for name in names for model in list_entries()}
    assert loaded
    assert loaded - known == set()

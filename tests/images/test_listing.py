import os
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leukoscope.images import listing
from leukoscope.images.class_folders import _cut_suffix
from leukoscope.images.files import FoundFile
from leukoscope.images.listing import Rows, View, find_odd_names

NAMES = st.text(st.sampled_from("ab/.+é\U0001f600\uffff"), max_size=5)
FILES = st.lists(
    st.builds(FoundFile, NAMES, st.integers(0, 2**62), st.integers(-9, 2**62), st.none() | st.just("no")), max_size=40
)


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    monkeypatch.setattr(listing, "_CHUNK", 8)


@given(FILES, st.slices(40))
def test_files_are_those_of_a_sorted_list(files, chosen):
    expected, rows = sorted(files, key=lambda file: file.path), Rows(files, FoundFile)
    assert list(rows) == expected
    assert rows == expected
    assert rows[chosen] == expected[chosen]
    assert [rows[place] for place in range(-len(files), len(files))] == [*expected, *expected]
    with pytest.raises(IndexError):
        rows[len(files)]


@given(FILES, st.lists(st.integers(0, 39)), st.slices(40))
def test_a_view_is_some_of_the_items(files, places, chosen):
    rows = Rows(files, FoundFile)
    places = array("q", sorted({place for place in places if place < len(files)}))
    view = View(rows, places, lambda number, file: (number, file.path))
    expected = [(number, rows[place].path) for number, place in enumerate(places)]
    assert list(view) == expected
    assert view[chosen] == expected[chosen]


def name_one_by_one(paths: list[str]) -> list[str]:
    taken, names = set(), []
    for path in paths:
        name = os.path.splitext(path)[0]
        while name in taken:
            name = path if path not in taken else f"{name}+"
        taken.add(name)
        names.append(name)
    return names


@given(st.lists(NAMES, max_size=30).map(sorted))
def test_names_are_those_that_are_given_one_by_one(paths):
    odd = find_odd_names(lambda: paths, _cut_suffix)
    assert [odd.get(number, _cut_suffix(path)) for number, path in enumerate(paths)] == name_one_by_one(paths)


@given(NAMES)
def test_a_suffix_is_cut_as_python_does(path):
    assert _cut_suffix(path) == os.path.splitext(path)[0]


def test_a_list_is_not_another_list():
    rows = Rows([FoundFile("a", 1, 2)], FoundFile)
    assert rows != []
    assert rows != [FoundFile("a", 1, 3)]
    assert rows != 1

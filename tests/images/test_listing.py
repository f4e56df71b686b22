import json
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leukoscope.images import listing, naming
from leukoscope.images.files import FoundFile
from leukoscope.images.listing import Rows, find_odd_names
from leukoscope.images.naming import (
    NamedFile,
    NamedFiles,
    cut_suffixes,
    list_at,
    list_named,
    tabulate,
    tabulate_each,
    tabulate_some,
    write_found,
    write_named,
)

NAMES = st.text(st.sampled_from("ab/.+é\U0001f600\uffff"), max_size=5)
FILES = st.lists(
    st.builds(FoundFile, NAMES, st.integers(0, 2**62), st.integers(-9, 2**62), st.none() | st.just("no")), max_size=40
)


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    monkeypatch.setattr(listing, "_CHUNK", 8)
    monkeypatch.setattr(naming, "_NEIGHBOURS", 3)


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
def test_named_files_are_some_of_the_rows_with_a_name_for_each(files, places, chosen):
    rows = Rows(files, FoundFile)
    places = sorted({place for place in places if place < len(files)})
    named = NamedFiles(rows, np.array(places, np.int64), list, label)
    found = [rows[place] for place in places]
    names = name_one_by_one([file.path for file in found])
    labels = label([file.path for file in found])
    expected = [
        NamedFile(name, one, file if one else file._replace(refused=file.refused or "not inside a class folder"))
        for name, one, file in zip(names, labels, found, strict=True)
    ]
    assert list(named) == expected
    assert named[chosen] == expected[chosen]
    assert named.find_labels() == set(labels)
    if expected:
        every = range(len(expected))[chosen]
        near = sorted(every) or [0]
        for given in (named, expected):
            assert list_at(given, near) == [expected[place] for place in near]
            assert list_named(tabulate_some(given, near)) == [expected[place] for place in near]
            assert list_named(tabulate(given, 0, 99)) == expected
            assert sum(map(len, tabulate_each(given))) == len(expected)
    assert list(NamedFiles(rows, None, list)) == [
        NamedFile(name, None, file)
        for name, file in zip(name_one_by_one([file.path for file in rows]), rows, strict=True)
    ]


def label(paths: list[str]) -> list[str | None]:
    return [path[0] if path[:1] in ("a", "b") else None for path in paths]


@given(FILES)
def test_files_are_written_as_json_does(files):
    named = [NamedFile(f'"\\\x7f\n{file.path}', label([file.path])[0], file) for file in files]
    if named:
        table = tabulate(named, 0, len(named))
        assert write_named(table, ", ") == json.dumps(named)[1:-1]
        assert write_found(table.select([2, 3, 4, 5]), ", ") == json.dumps(files)[1:-1]
        assert write_named(table.slice(1)) == "".join(map(json.dumps, named[1:]))


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
    odd = find_odd_names(lambda: [paths[:7], paths[7:]], cut_suffixes)
    assert [odd.get(number, name) for number, name in enumerate(cut_suffixes(paths))] == name_one_by_one(paths)


@given(st.lists(NAMES | st.text(max_size=5), max_size=3))
def test_suffixes_are_cut_as_python_does(paths):
    assert cut_suffixes(paths) == [os.path.splitext(path)[0] for path in paths]


def test_a_list_is_not_another_list():
    rows = Rows([FoundFile("a", 1, 2)], FoundFile)
    assert rows != []
    assert rows != [FoundFile("a", 1, 3)]
    assert rows != 1

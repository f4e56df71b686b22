import numpy as np
import pandas as pd
import pytest

from conftest import Smears
from figure_parts import list_legend, list_words
from leukoscope.figures.ingestion import draw_counts, draw_montage


@pytest.fixture
def report() -> pd.DataFrame:
    counts = {"label": ["Benign", "Pro", "total"], "found": [1200, 3, 1203], "accepted": [1100, 3, 1103]}
    return pd.DataFrame(counts | {"quarantined": [100, 0, 100], "expected": pd.array([1250, None, 1250], "Int64")})


@pytest.fixture
def manifest() -> pd.DataFrame:
    facts = {"label": ["Benign", "Benign", "Pro"], "status": ["accepted", "quarantined", "accepted"]}
    return pd.DataFrame(facts | {"duplicate_of": ["x", "y", None]})


def test_a_bar_a_class_has_what_was_accepted_copies_and_what_was_quarantined(manifest, report):
    figure = draw_counts(manifest, report)
    axes = figure.axes[0]
    parts = [[(bar.get_y(), bar.get_height()) for bar in container] for container in axes.containers]
    assert parts == [[(0, 1099), (0, 3)], [(1099, 1), (3, 0)], [(1100, 100), (3, 0)]]
    assert list_words(axes.texts) == ["1,200", "3"]
    assert [text.xy for text in axes.texts] == [(0, 1200), (1, 3)]
    assert list_words(axes.get_xticklabels()) == ["Benign", "Pro"]
    labels = ["accepted", "accepted, copy of another", "quarantined", "expected"]
    assert sorted(list_legend(figure.legends[0])) == sorted(labels)


def test_an_expected_count_is_a_mark_where_it_is_known(manifest, report):
    (mark,) = draw_counts(manifest, report).axes[0].collections
    assert [segment.tolist() for segment in mark.get_segments()] == [[[-0.38, 1250], [0.38, 1250]]]
    unknown = draw_counts(manifest, report.assign(expected=pd.array([None] * 3, "Int64")))
    assert not unknown.axes[0].collections
    assert "expected" not in list_legend(unknown.legends[0])


def test_a_class_without_files_has_an_empty_bar(manifest, report):
    empty = report.assign(found=0, accepted=0, quarantined=0).iloc[:1]
    axes = draw_counts(manifest.iloc[:0], empty).axes[0]
    assert [bar.get_height() for container in axes.containers for bar in container] == [0, 0, 0]
    assert list_words(axes.texts) == ["0"]


@pytest.fixture
def stored(splits) -> tuple[Smears, pd.DataFrame]:
    table = splits.assign(status="accepted", duplicate_of=None)
    return Smears(splits, 8), table


def test_a_montage_takes_smears_evenly_from_each_class(stored, class_names):
    smears, manifest = stored
    figure = draw_montage(smears, manifest, class_names, columns=3)
    assert len(figure.axes) == 12
    assert [axes.get_ylabel() for axes in figure.axes[::3]] == class_names
    for axes, row in zip(figure.axes, [0, 19, 39, 40, 59, 79], strict=False):
        assert (axes.images[0].get_array() == smears.pixels[row]).all()


def test_a_montage_leaves_out_copies_and_quarantined_files_and_has_gaps(stored, class_names):
    smears, manifest = stored
    manifest.loc[1:38, "status"] = "quarantined"
    manifest.loc[39, "duplicate_of"] = "Benign/00"
    figure = draw_montage(smears, manifest, class_names, columns=3)
    assert [len(axes.images) for axes in figure.axes[:6]] == [1, 0, 0, 1, 1, 1]
    assert (np.asarray(figure.axes[0].images[0].get_array()) == smears.pixels[0]).all()

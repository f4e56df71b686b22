import numpy as np
import pandas as pd

from figure_parts import list_legend, list_words, read_line
from leukoscope.evaluation.drift import QUANTITIES
from leukoscope.figures.monitoring import draw_monitoring


def test_each_quantity_has_its_distance_and_what_chance_allows():
    weeks = ["2026-11-02", "2026-11-09", "2026-11-16"]
    own = pd.DataFrame({"window": weeks, "state": ["alarm", "no change shown", "too few images"]})
    own = own.assign(distance=[0.5, 0.2, np.nan], limit=[0.3, 0.4, np.nan])
    own["alarm"] = pd.array([True, False, pd.NA], "boolean")
    table = pd.concat([own.assign(quantity=name) for name in QUANTITIES])
    figure = draw_monitoring(table, "week")
    assert [axes.get_title(loc="left") for axes in figure.axes] == [one.title for one in QUANTITIES.values()]
    for axes in figure.axes:
        assert read_line(axes, "alarm") == ([0], [0.5])
        assert read_line(axes, "not judged") == ([2], [0])
        assert [round(bar.get_height(), 6) for bar in axes.patches] == [0.3, 0.4]
    assert list_words(figure.axes[-1].get_xticklabels()) == weeks
    assert sorted(list_legend(figure.legends[0])) == ["alarm", "chance allows", "not judged"]


def test_of_many_windows_some_are_named():
    weeks = [str(day.date()) for day in pd.date_range("2026-01-05", periods=52, freq="7D")]
    own = pd.DataFrame({"window": weeks, "state": "no change shown", "distance": 0.1, "limit": 0.2})
    own["alarm"] = pd.array([False] * 52, "boolean")
    figure = draw_monitoring(pd.concat([own.assign(quantity=name) for name in QUANTITIES]), "week")
    named = list_words(figure.axes[-1].get_xticklabels())
    assert (named[0], named[-1], len(named)) == (weeks[0], weeks[-1], 8)

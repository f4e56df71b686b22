import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency, fisher_exact, ks_2samp
from statsmodels.stats.multitest import multipletests

from leukoscope.evaluation import drift
from leukoscope.evaluation.drift import QUANTITIES, can_alarm, compare

CLASSES = np.array(["Benign", "Early", "Pre"])


def make_facts(rng, groups: int, together: int = 1, shift: float = 0.0) -> pd.DataFrame:
    """Facts of images that come in groups of so many, which have half of their variance in common."""
    group = np.repeat(np.arange(groups), together)
    shared = rng.normal(size=(groups, 7))[group] if together > 1 else 0.0
    values = shared + rng.normal(size=(len(group), 7)) + shift
    return pd.DataFrame(
        {
            "certainty": 1 / (1 + np.exp(-values[:, 0])),
            "ood_score": np.exp(values[:, 1]),
            "abstained": values[:, 2] > 1,
            "likeliest": CLASSES[np.digitize(values[:, 3], [-0.5, 0.5])],
            "check_red_share": values[:, 4],
            "check_log_sharpness": values[:, 5],
            "distance_benign": values[:, 6],
            "group": group,
        }
    )


def count_false_alarms(together: int, windows: int, alone: bool = False) -> float:
    rng = np.random.default_rng(1)
    alarms = 0
    for number in range(windows):
        known, new = make_facts(rng, 60 // together, together), make_facts(rng, 30 // together, together)
        if alone:
            known, new = (table.assign(group=np.arange(len(table))) for table in (known, new))
        alarms += any(change.alarm for change in compare(known, new, 0.2, number, draws=149).values())
    return alarms / windows


def test_images_like_the_reference_raise_no_more_alarms_than_was_asked_for():
    """Without a correction about half of these windows would have an alarm: three standard errors are 0.12."""
    assert 0.02 < count_false_alarms(together=1, windows=100) < 0.32


def test_images_of_a_group_are_no_independent_evidence():
    assert count_false_alarms(together=5, windows=60) < 0.36
    assert count_false_alarms(together=5, windows=30, alone=True) > 0.6


@pytest.mark.parametrize("shifted", ["certainty", "ood_score", "abstained", "classes", "stain", "features"])
def test_what_has_changed_is_what_raises_the_alarm(shifted):
    rng = np.random.default_rng(2)
    known, new = make_facts(rng, 150), make_facts(rng, 60)
    moved = make_facts(rng, 60, shift=1.5)
    names = {"stain": ["check_red_share"], "features": ["distance_benign"], "classes": ["likeliest"]}
    for column in names.get(shifted, [shifted]):
        new[column] = moved[column]
    changes = compare(known, new, 0.05, 1, draws=499)
    assert [name for name, change in changes.items() if change.alarm] == [shifted]
    assert changes[shifted].column == {"classes": "Pre"}.get(shifted, names.get(shifted, [shifted])[0])
    assert changes[shifted].is_more


def test_an_alarm_is_a_distance_beyond_the_limit():
    rng = np.random.default_rng(3)
    seen = set()
    for number in range(12):
        new = make_facts(rng, 30, shift=rng.choice([0.0, 0.6, 1.0]))
        for change in compare(make_facts(rng, 60), new, 0.05, number, draws=399).values():
            assert change.alarm == (change.distance > change.limit + 1e-9)
            seen.add(change.alarm)
    assert seen == {True, False}


def test_distances_are_those_of_scipy():
    rng = np.random.default_rng(4)
    known, new = make_facts(rng, 80), make_facts(rng, 40, shift=0.4)
    known["ood_score"], new["ood_score"] = known["ood_score"].round(0), new["ood_score"].round(0)  # ties
    changes = compare(known, new, 0.05, 1)
    for name in ("certainty", "ood_score"):
        assert changes[name].distance == pytest.approx(ks_2samp(known[name], new[name]).statistic)
    counts = pd.DataFrame([known["likeliest"].value_counts(), new["likeliest"].value_counts()])
    g, p = chi2_contingency(counts, correction=False, lambda_="log-likelihood")[:2]
    assert changes["classes"].distance == pytest.approx(g)
    assert changes["classes"].p == pytest.approx(p, abs=0.03)
    table = [[side["abstained"].sum(), (~side["abstained"]).sum()] for side in (known, new)]
    assert changes["abstained"].p == pytest.approx(fisher_exact(table).pvalue, abs=0.1)


def test_the_correction_is_holms():
    p = np.array([0.02, 0.001, 0.4, 0.012, 0.012, 0.9])
    assert drift.correct(p, 0.05)[0] == pytest.approx(multipletests(p, method="holm")[1])


def test_each_group_counts_the_same():
    rng = np.random.default_rng(5)
    known, new = make_facts(rng, 40), make_facts(rng, 20)
    copies = pd.concat([new, *[new[new["group"] == 0]] * 30], ignore_index=True)
    once, often = (compare(known, one, 0.05, 1, draws=99) for one in (new, copies))
    assert {name: once[name].distance for name in QUANTITIES} == pytest.approx(
        {name: often[name].distance for name in QUANTITIES}
    )


def test_the_same_seed_gives_the_same_figures():
    rng = np.random.default_rng(6)
    known, new = make_facts(rng, 40), make_facts(rng, 20)
    assert compare(known, new, 0.05, [1, 2], draws=99) == compare(known, new, 0.05, [1, 2], draws=99)
    assert compare(known, new, 0.05, [1, 2], draws=99) != compare(known, new, 0.05, [1, 3], draws=99)


def test_of_very_many_groups_some_are_drawn(monkeypatch):
    monkeypatch.setattr(drift, "_MOST_GROUPS", 30)
    rng = np.random.default_rng(7)
    change = compare(make_facts(rng, 90), make_facts(rng, 60, shift=2.0), 0.05, 1, draws=199)["certainty"]
    assert change.alarm


def test_few_groups_can_show_nothing():
    assert not can_alarm(40, 1, 0.05)
    assert can_alarm(40, 2, 0.05)
    assert not can_alarm(3, 3, 0.05)
    assert can_alarm(488, 650, 0.05)  # more ways than a float can hold
    assert can_alarm(900, 900, 0.05)


@pytest.mark.parametrize(("groups", "can"), [((4, 4), False), ((4, 5), True), ((5, 5), True)])
def test_what_could_raise_an_alarm_does_where_nothing_is_alike(groups, can):
    """Four groups can be taken out of eight in 70 ways, two of which are as far apart: p is 2 / 70 at least."""
    rng = np.random.default_rng(8)
    known, new = (make_facts(rng, number, 6, shift) for number, shift in zip(groups, (0.0, 50.0), strict=True))
    changes = compare(known, new, 0.1, 1, draws=1999)
    assert any(change.alarm for change in changes.values()) == can_alarm(*groups, 0.1) == can


def test_which_way_it_went_is_told_by_groups():
    """One group of many images is less certain than before, and all others are more."""
    rng = np.random.default_rng(9)
    known, new = make_facts(rng, 60), make_facts(rng, 40, shift=3.0)
    odd = make_facts(rng, 1, 200, shift=-3.0).assign(group=99)
    change = compare(known, pd.concat([new, odd], ignore_index=True), 0.05, 1, draws=499)["certainty"]
    assert change.alarm
    assert change.is_more

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from leukoscope.evaluation import drift, monitoring
from leukoscope.evaluation.monitoring import Reader, Rule, judge_windows, say_verdict, summarise_alarms

WE = Reader("model-1", "seal-1")
NOW = datetime(2026, 11, 26, tzinfo=UTC)
RULE = Rule("week", "request", 20, 0.05, judge_unfinished=False)


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    monkeypatch.setattr(drift, "_DRAWS", 399)


def make_facts(seed: int, number: int, shift: float = 0.0, **columns) -> pd.DataFrame:
    values = np.random.default_rng(seed).normal(shift, size=(number, 5))
    facts = {
        "certainty": 1 / (1 + np.exp(-values[:, 0])),
        "ood_score": np.exp(values[:, 1]),
        "reason": np.where(values[:, 2] > 1.2, "not sure enough", ""),
        "likeliest": np.where(values[:, 3] > 0, "Benign", "Pro"),
        "check_log_sharpness": values[:, 4],
        "distance_pro": values[:, 0] + values[:, 1],
    }
    return pd.DataFrame(facts | columns)


def make_log(*weeks: pd.DataFrame, days=("2026-11-03", "2026-11-10", "2026-11-17", "2026-11-24")) -> pd.DataFrame:
    dated = [week.assign(read_at=f"{day}T10:00:00+00:00") for week, day in zip(weeks, days, strict=False)]
    facts = {"model": "vgg16", "model_fingerprint": WE.fingerprint, "calibration": WE.calibration}
    return pd.concat(dated, ignore_index=True).assign(**facts).assign(together=lambda rows: rows.get("together"))


VALIDATION = {WE: make_facts(0, 90, group=np.arange(90))}


def states(log: pd.DataFrame, rule: Rule = RULE, validation=VALIDATION) -> dict[str, str]:
    return judge_windows(log, validation, rule, 1, NOW).drop_duplicates("window").set_index("window")["state"].to_dict()


def test_each_week_is_judged_by_itself():
    log = make_log(make_facts(1, 40), make_facts(2, 40, 1.5), make_facts(3, 5), make_facts(4, 40))
    assert states(log) == {
        "2026-11-02": "no change shown",
        "2026-11-09": "alarm",
        "2026-11-16": "too few images",
        "2026-11-23": "not over",
    }
    assert states(log, RULE._replace(judge_unfinished=True))["2026-11-23"] == "no change shown"
    assert list(states(log, RULE._replace(window="month"))) == ["2026-11-01"]
    assert next(iter(states(log, RULE._replace(window="day")))) == "2026-11-03"


def test_where_nothing_is_judged_there_is_neither_alarm_nor_all_clear():
    table = judge_windows(make_log(make_facts(3, 5)), VALIDATION, RULE, 1, NOW)
    assert table["alarm"].isna().all()
    assert table["p"].isna().all()
    assert table.set_index("quantity")["value"].notna().to_dict() == {
        name: name in ("certainty", "abstained", "ood_score") for name in drift.QUANTITIES
    }
    verdict = say_verdict(table, "week")
    assert (verdict.is_alarm, verdict.text) == (
        False,
        "No week could be judged so far: that from 2026-11-02 has 5 images (too few images).",
    )
    assert summarise_alarms(table) == {"monitoring_windows": 0, "monitoring_alarms": 0, "monitoring_last_alarm": 0}


def test_images_of_one_request_are_one_group():
    together = make_log(make_facts(1, 40, 1.5, together=["one request"] * 40))
    assert states(together) == {"2026-11-02": "too few groups"}
    assert states(together, RULE._replace(group_by="image")) == {"2026-11-02": "alarm"}


def test_too_few_validation_images_are_said_to_be_so():
    few = {WE: make_facts(0, 12, group=np.arange(12))}
    assert states(make_log(make_facts(1, 40)), validation=few) == {"2026-11-02": "too few validation images"}


def test_the_same_image_again_counts_once():
    once = make_facts(1, 15)
    assert states(make_log(pd.concat([once] * 3))) == {"2026-11-02": "too few images"}


def test_opinions_under_another_calibration_are_left_out():
    log = make_log(make_facts(1, 40), make_facts(2, 40, 1.5))
    log.loc[log["read_at"] > "2026-11-08", "calibration"] = "another"
    assert states(log) == {"2026-11-02": "no change shown"}


def test_reasons_that_validation_does_not_have_are_no_abstentions():
    week = make_facts(1, 40)
    asked_again = judge_windows(make_log(week.assign(reason="rests on stain")), VALIDATION, RULE, 1, NOW)
    assert asked_again.set_index("quantity").loc["abstained", "value"] == 0


def test_the_verdict_says_what_has_changed():
    week = make_facts(1, 60).assign(check_log_sharpness=make_facts(1, 60)["check_log_sharpness"] - 2)
    table = judge_windows(make_log(make_facts(2, 40), week), VALIDATION, RULE, 1, NOW)
    verdict = say_verdict(table, "week")
    assert verdict.is_alarm
    assert verdict.text == (
        "In the week from 2026-11-09, of 60 images, something differs from the validation images: stain and focus "
        "(out of focus)."
    )
    figures = summarise_alarms(table)
    assert (figures["monitoring_windows"], figures["monitoring_alarms"], figures["monitoring_last_alarm"]) == (2, 1, 1)
    assert figures["monitoring_p_stain"] < 0.05 < figures["monitoring_p_certainty"]


def test_what_is_judged_is_told_in_words():
    shifted = make_facts(5, 60, 2.0)
    table = judge_windows(make_log(shifted), VALIDATION, RULE, 1, NOW).set_index("quantity")
    assert table["why"].to_dict() == {
        "features": "further from the training images of pro",
        "stain": "grainy or noisy",
        "certainty": "more certain",
        "abstained": "more abstentions",
        "classes": "more Benign",
        "ood_score": "less like the training images",
    }


def test_an_earlier_version_that_measured_something_else_is_left_out():
    log = make_log(make_facts(1, 40), make_facts(2, 40))
    log.loc[log["read_at"] < "2026-11-08", "check_log_sharpness"] = np.nan
    assert states(log) == {"2026-11-09": "no change shown"}
    assert set(monitoring.judge_windows(log.drop(columns="distance_pro"), VALIDATION, RULE, 1, NOW)) >= {"alarm"}


def test_a_window_of_which_a_part_was_removed_is_not_judged():
    log = make_log(make_facts(1, 30), make_facts(2, 30), make_facts(3, 30))
    for keep_days, states in ((None, 0), (24, 0), (23, 1), (16, 2)):  # the first week begins 24 days before
        table = judge_windows(log, VALIDATION, RULE._replace(keep_days=keep_days), 1, NOW).drop_duplicates("window")
        assert table["state"].eq("partly removed").tolist() == [number < states for number in range(3)]
        assert table.loc[table["state"] == "partly removed", "alarm"].isna().all()

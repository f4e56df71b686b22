import pandas as pd
import pytest

from leukoscope.audit import verdict

LABELS = pd.Series(["a", "b", "c", "d"] * 10)


def row(protocol, predictor, accuracy, reach=0.01, embargo=None) -> dict:
    facts = {"protocol": protocol, "embargo": embargo, "predictor": predictor, "accuracy": accuracy, "images": 80}
    return facts | {"low": accuracy - reach, "high": accuracy + reach, "groups": 60}


def judge(*rows: dict, labels=LABELS, notes=()) -> verdict.Verdict:
    table = pd.DataFrame(rows, columns=list(row("", "", 0)))
    return verdict.judge(table, labels, warning=0.2, alarm=0.5, confidence=0.95, data="f00d", notes=notes)


def test_background_that_tells_the_classes_apart_raises_the_alarm():
    outcome, text = judge(row("duplicate", "background", 0.97), row("duplicate", "corner", 0.9))
    assert outcome == "alarm"
    assert text.startswith("ALARM")
    assert (
        "Tested on fields of which it has seen no copy: a program that looks only at the colours of the background "
        "names the right class of 97 of 100 fields (0.970; 0.960 to 0.980 by 60 groups); a network that does "
        "no better need not have looked at cells.\n"
    ) in text
    assert "Intervals are at 95%, by a beta-binomial posterior by groups.\n" in text


@pytest.mark.parametrize(
    ("accuracy", "outcome"), [(0.64, "alarm"), (0.63, "warning"), (0.42, "warning"), (0.40, "no alarm")]
)
def test_alarm_and_warning_are_where_the_parameters_say(accuracy, outcome):
    # The alarm is at 0.25 + 0.5 * 0.75 and the warning at 0.25 + 0.2 * 0.75, by the interval's lower end.
    assert judge(row("appearance", "background", accuracy)).outcome == outcome


@pytest.mark.parametrize(("accuracy", "outcome"), [(0.99, "warning"), (0.64, "warning"), (0.63, "no alarm")])
@pytest.mark.parametrize("predictor", ["colour_histogram", "hue_band", "thumbnail", "file"])
def test_what_may_count_cells_raises_the_warning_where_others_raise_the_alarm(predictor, accuracy, outcome):
    found, text = judge(row("duplicate", predictor, accuracy), row("duplicate", "border", 0.3))
    assert found == outcome
    assert ("need not have looked at their shape." in text) == (outcome == "warning")


@pytest.mark.parametrize(
    ("accuracy", "outcome"), [(0.86, "alarm"), (0.84, "warning"), (0.77, "warning"), (0.76, "no alarm")]
)
def test_chance_is_the_share_of_the_largest_class(accuracy, outcome):
    # Seven of ten: the alarm is at 0.85, which for four equal classes would be 0.625, and the warning at 0.76.
    labels = pd.Series(list("aaaaaaabcd"))
    found, text = judge(row("appearance", "background", accuracy, reach=0.005), labels=labels)
    assert found == outcome
    assert "Always naming the largest class is right for 70 of 100 fields (0.700)." in text
    assert "The warning begins at 0.760 and the alarm at 0.850" in text


def test_the_strongest_is_the_one_that_is_surely_strong():
    _, text = judge(row("appearance", "background", 0.8, reach=0.15), row("appearance", "border", 0.75))
    assert "the colours of the outermost frame" in text
    assert "the colours of the background" not in text


def test_one_whose_interval_is_unknown_is_not_the_strongest():
    unknown = row("appearance", "background", 0.8) | {"low": float("nan"), "high": float("nan")}
    assert "the colours of the outermost frame" in judge(row("appearance", "border", 0.3), unknown).text


def test_what_only_tells_copies_apart_raises_nothing():
    outcome, text = judge(
        row("image", "background", 1.0), row("duplicate", "background", 0.2), row("image", "file", 1.0)
    )
    assert outcome == "no alarm"
    assert "Tested on fields of which it may have seen copies: a program that looks only at the colours of the" in text


def test_each_embargo_is_told_with_its_control():
    rows = [row("series", "border", 0.9, embargo=0), row("series", "border", 0.7, embargo=37)]
    control = [row("series_control", "border", 0.8, embargo=37), row("series_control", "corner", 0.1, embargo=37)]
    outcome, text = judge(*rows, *control)
    assert outcome == "alarm"
    begins = [line.split(":")[0] for line in text.splitlines() if "outermost frame" in line]
    assert begins == [
        "Tested on runs of file numbers of which it has seen none",
        "Tested on fields more than 37 file numbers away from all of their class that it has seen",
    ]
    assert text.count("With as many training images, but some from nearer by, it names 80 of 100 fields (0.800).") == 1


def test_a_control_raises_nothing():
    rows = [row("series", "border", 0.3, embargo=37), row("series_control", "border", 0.9, embargo=37)]
    assert judge(*rows).outcome == "no alarm"


def test_embargoes_of_a_saved_table_read_the_same(tmp_path):
    rows = [row("duplicate", "border", 0.3), row("series", "border", 0.9, embargo=37)]
    table = pd.DataFrame(rows).astype({"embargo": "Int64"})
    table.to_csv(tmp_path / "audit.csv", index=False)
    texts = [
        verdict.judge(one, LABELS, 0.2, 0.5, 0.95, "f00d").text for one in (table, pd.read_csv(tmp_path / "audit.csv"))
    ]
    assert texts[0] == texts[1]


@pytest.mark.parametrize("rows", [[], [row("image", "border", 0.9)], [row("appearance", "thumbnail", 0.9)]])
def test_where_nothing_was_judged_strictly_there_is_no_verdict(rows):
    outcome, text = judge(*rows)
    assert outcome == "not judged"
    assert text.startswith("Not judged")
    assert "ALARM" not in text
    assert "WARNING" not in text


@pytest.mark.parametrize(
    ("share", "words"), [(0.996, "99"), (1.0, "100"), (0.004, "1"), (0.0, "0"), (0.915, "92"), (0.5, "50")]
)
def test_shares_are_told_of_a_hundred_fields(share, words):
    assert f"names the right class of {words} of 100 fields" in judge(row("appearance", "border", share)).text


def test_a_network_is_told_under_the_strictest_protocol_that_left_it_images():
    _, text = judge(
        row("image", "vgg16_features", 0.9), row("appearance", "vgg16_features", 0.7), row("appearance", "border", 0.4)
    )
    assert "looks only at the vgg16 features of a trained network names the right class of 70 of 100 fields" in text
    assert "on 80 images of groups that the network had not learned from.\nAmong these images are those of" in text


def test_without_a_network_the_verdict_says_so():
    assert "No trained model was there" in judge(row("image", "file", 0.3)).text


def test_what_could_not_be_judged_is_told():
    assert "Names have no numbers.\n" in judge(row("appearance", "border", 0.3), notes=["Names have no numbers."]).text


@pytest.mark.parametrize(("data", "there"), [("f00d", True), ("beef", False)])
def test_an_audit_is_of_the_images_that_it_was_made_of(data, there):
    table = pd.DataFrame([row("appearance", "border", 0.3)])
    text = judge(row("appearance", "border", 0.3)).text
    assert verdict.is_of(data, table.assign(data="f00d"), text) is there
    assert not verdict.is_of(data, table, text)  # of before tables said of what they are
    assert not verdict.is_of(data, table.assign(data=data), "Another verdict.")
    assert not verdict.is_of(data, None, text)

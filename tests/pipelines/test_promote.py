import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, DatasetError, MemoryDataset
from kedro.runner import SequentialRunner
from pydantic import ValidationError

from cell_models import make_reader as make_cell_reader
from leukoscope.core.errors import InputError
from leukoscope.datasets import JSONDataset, PartitionedDataset, ReaderRegistryDataset
from leukoscope.evaluation.evaluations import fingerprint_test
from leukoscope.evaluation.metric import Metric, Number
from leukoscope.evaluation.metrics import METRICS, list_promoting
from leukoscope.evaluation.voting import Vote, weigh
from leukoscope.models.ensemble import EnsembleClassifier
from leukoscope.models.viewed import ViewedClassifier
from leukoscope.pipelines.evaluation.options import EvaluationOptions
from leukoscope.pipelines.promote import nodes
from leukoscope.pipelines.promote.options import PromotionOptions, ServingOptions
from leukoscope.pipelines.promote.pipeline import create_pipeline
from leukoscope.reader.scale import Scale
from leukoscope.serving.registry import ReaderRegistry, Registered
from tiny_reader import BRIGHTNESS, CLASS_NAMES, make_reader, shade

GOOD = make_reader()


def worse(reader):
    """The same reader with another head, that takes every class for the next."""
    import keras

    network = keras.models.clone_model(reader.classifier.network)
    network.set_weights(reader.classifier.network.get_weights())
    head = network.get_layer("probabilities")
    head.set_weights([np.roll(one, 1, axis=-1) for one in head.get_weights()])
    return replace(reader, classifier=replace(reader.classifier, network=network), model="resnet50")


BAD = worse(GOOD)


class Registry:
    def __init__(self, reader=None, experiment: str = "leukoscope") -> None:
        self.experiment = "leukoscope"
        self.champion = Registered("3", reader, experiment) if reader else None

    def find_champion(self):
        return self.champion


@pytest.fixture
def test_set():
    """Forty test images, ten a class, each a group of its own."""
    labels = np.repeat(CLASS_NAMES, 10)
    ids = [f"{label}/{number}" for number, label in enumerate(labels)]
    splits = pd.DataFrame({"image_id": ids, "label": labels, "group": ids, "split": "test"})
    pixels = np.stack([shade(BRIGHTNESS[CLASS_NAMES.index(label)] + n % 10 - 5) for n, label in enumerate(labels)])
    rows = {name: number for number, name in enumerate(ids)}
    records = splits[["image_id"]].assign(sha256=[f"test {name}" for name in ids])
    smears = SimpleNamespace(
        pixels=pixels, records=records, rows=lambda wanted: np.array([rows[one] for one in wanted])
    )
    return smears, splits


def judge(reader, registry, test_set, looks=(), **options):
    given = PromotionOptions(**options), EvaluationOptions(resamples=40)
    return nodes.judge_candidate(reader, registry, *test_set, looks, *given, 1)


@pytest.mark.parametrize(("candidate", "champion"), [(GOOD, BAD), (BAD, GOOD), (GOOD, None)])
def test_looks_at_test_images_are_counted_and_said_whoever_wins(test_set, caplog, candidate, champion):
    """Two models on these test images, one of them and a third on a fold of the same data, one on other data."""
    present = fingerprint_test(test_set[1])
    rows = [
        ("a", present, "own"),
        ("b", present, "own"),
        ("b", "fold", "own"),
        ("c", "fold", "own"),
        ("d", "x", "other"),
    ]
    looks = [dict(zip(("model_fingerprint", "test", "data"), row, strict=True)) for row in rows]
    with caplog.at_level("INFO"):
        judged = judge(candidate, Registry(champion), test_set, looks)
    assert (judged["looks"], judged["looks_at_data"]) == (2, 3)
    assert "2 trained models were evaluated on these test images, and 3 on any of the same data set" in caplog.text


@pytest.mark.parametrize("metric", list_promoting())
def test_every_metric_that_can_promote_decides(test_set, metric):
    decided = judge(GOOD, Registry(BAD), test_set, metric=metric)
    assert decided["wins"]
    assert f"{metric} 1.0000 against the champion's" in decided["why"]


def test_a_new_row_that_can_promote_decides(test_set, monkeypatch):
    measure = Number(lambda draw: draw.average(draw.outcome.hits) / 2)
    monkeypatch.setitem(METRICS, "made_up", Metric("made up", "half the accuracy", measure, can_promote=True))
    decided = judge(GOOD, Registry(BAD), test_set, metric="made_up")
    assert (decided["wins"], decided["candidate_figure"], decided["champion_figure"]) == (True, 0.5, 0.0)


def test_any_other_metric_is_refused_with_those_that_can():
    for name in sorted({*METRICS, "f2"} - {*list_promoting()}):
        with pytest.raises(ValidationError, match=f"'{re.escape(name)}' cannot decide .* expected one of accuracy, "):
            PromotionOptions(metric=name)


def test_a_reader_whose_detector_is_the_users_own_is_not_promoted(test_set):
    own = make_cell_reader()
    own = replace(own.classifier, cutting=replace(own.classifier.cutting, detector="my_module:find"))
    for classifier in (own, ViewedClassifier(own, "symmetries"), EnsembleClassifier({"one": own}, Vote(weigh([1])))):
        with pytest.raises(InputError, match="finds cells by my_module:find, which is code of yours") as caught:
            judge(replace(GOOD, classifier=classifier), Registry(), test_set)
        assert "\n" not in str(caught.value)


def test_without_a_champion_the_candidate_is_promoted(test_set):
    decided = judge(GOOD, Registry(), test_set)
    assert decided["wins"]
    assert decided["why"] == "there was no champion"
    assert decided["candidate_figure"] == 1
    assert decided["test_images"] == 40


def test_a_better_one_replaces_the_champion_and_a_worse_one_does_not(test_set):
    decided = judge(GOOD, Registry(BAD), test_set)
    assert decided["wins"]
    assert decided["champion_figure"] == 0
    assert decided["accuracy_difference"] == 1
    assert "macro_f1 1.0000 against the champion's 0.0000" in decided["why"]
    decided = judge(BAD, Registry(GOOD), test_set)
    assert not decided["wins"]
    assert "not more than promotion.min_gain" in decided["why"]


def test_a_champion_of_an_earlier_version_can_be_replaced(test_set):
    old = replace(BAD, seen=BAD.seen.drop(columns=["label", "check_log_cells"]))
    assert judge(GOOD, Registry(old), test_set)["wins"]


@pytest.mark.slow
def test_an_equal_one_does_not_nor_one_that_gains_too_little(test_set):
    other = make_reader(temperature=2.0)  # decides alike
    assert not judge(other, Registry(GOOD), test_set)["wins"]
    assert not judge(GOOD, Registry(BAD), test_set, min_gain=1.0)["wins"]
    assert judge(GOOD, Registry(BAD), test_set, min_gain=0.9)["wins"]


def test_one_that_knows_the_scale_of_its_images_replaces_a_champion_that_does_not(test_set):
    decided = judge(GOOD.at_scale(Scale(5.0, 0.1, 0.1)), Registry(GOOD), test_set)
    assert decided["wins"]
    assert "tells photographs and crops from fields, which the champion does not" in decided["why"]
    assert not judge(GOOD, Registry(GOOD.at_scale(Scale(5.0, 0.1, 0.1))), test_set)["wins"]


def test_the_champion_itself_is_not_promoted_again(test_set):
    decided = judge(make_reader(), Registry(GOOD), test_set)
    assert not decided["wins"]
    assert decided["why"] == "it is the champion already, as version 3"


@pytest.mark.parametrize(
    ("candidate", "champion", "words"),
    [
        (GOOD.asking_again(), GOOD, "asks again under other stains, lights and cameras"),
        (GOOD, GOOD.asking_again(), "does not ask again"),
    ],
    ids=["on", "off"],
)
def test_a_certificate_can_be_switched(candidate, champion, words, test_set):
    decided = judge(candidate, Registry(champion), test_set)
    assert decided["wins"]
    assert decided["why"] == f"it is the champion, version 3, but {words} (evaluation.certificate)"
    assert decided["champion_version"] == "3"
    assert not judge(candidate, Registry(champion, "leukoscope-demo"), test_set)["wins"]


@pytest.mark.slow
def test_a_certificate_replaces_no_champion_that_differs_otherwise(test_set):
    other = make_reader(temperature=2.0).asking_again()
    assert not judge(other, Registry(GOOD), test_set)["wins"]
    assert not judge(BAD.asking_again(), Registry(GOOD), test_set)["wins"]


@pytest.mark.slow
def test_a_difference_that_may_be_chance_is_not_enough_unless_asked(test_set):
    smears, splits = test_set
    one_group = splits.assign(group="all")
    assert judge(GOOD, Registry(BAD), (smears, one_group), significant=False)["wins"]
    decided = judge(GOOD, Registry(BAD), (smears, one_group))
    assert not decided["wins"]
    assert "could be chance" in decided["why"]
    assert judge(GOOD, Registry(BAD), test_set, significant=True)["wins"]


def test_a_champion_of_another_experiment_stays_unless_asked(test_set):
    registry = Registry(BAD, experiment="leukoscope-demo")
    decided = judge(GOOD, registry, test_set)
    assert not decided["wins"]
    assert "the experiment leukoscope-demo" in decided["why"]
    assert judge(GOOD, registry, test_set, over_other_experiments=True)["wins"]


def test_images_that_the_champion_learned_from_do_not_count(test_set):
    learned = BAD.seen.assign(sha256=[f"test Benign/{number}" for number in range(len(BAD.seen))])
    champion = replace(BAD, seen=learned)
    with pytest.raises(InputError, match=r"Of 40 test images 30 are new .*; promotion.min_images asks for 31"):
        judge(GOOD, Registry(champion), test_set, min_images=31)
    assert judge(GOOD, Registry(champion), test_set, min_images=30, metric="accuracy")["test_images"] == 30


def test_nor_do_images_of_a_group_with_one_of_them(test_set):
    smears, splits = test_set
    learned = BAD.seen.assign(sha256=[f"test Benign/{number}" for number in range(len(BAD.seen))])
    grouped = splits.assign(group=splits["group"].where(splits["label"] != "Early", "Benign/0"))
    decided = judge(GOOD, Registry(replace(BAD, seen=learned)), (smears, grouped), min_images=20, metric="accuracy")
    assert decided["test_images"] == 20


def test_packed_images_of_another_size_are_refused(test_set):
    smears, _ = test_set
    smears.pixels = np.zeros((40, 64, 64, 3), np.uint8)
    with pytest.raises(InputError, match="64 pixels a side"):
        judge(GOOD, Registry(), test_set)


def test_a_figure_that_is_undefined_decides_nothing(test_set):
    smears, splits = test_set
    some = splits[splits["label"] != "Pro"]
    with pytest.raises(InputError, match="macro_f1 is undefined on the 30 test images"):
        judge(GOOD, Registry(BAD), (smears, some))
    assert judge(GOOD, Registry(BAD), (smears, some), metric="accuracy")["wins"]


def test_a_champion_of_other_classes_is_an_input_error(test_set):
    champion = replace(BAD, classifier=replace(BAD.classifier, class_names=("Benign", "A", "B", "C")))
    with pytest.raises(InputError, match="knows the classes Benign, A, B, C"):
        judge(GOOD, Registry(champion), test_set)


LOOKED_AT = {"candidate": "mobilenet_v2", "why": "because", "looks": 2}


def test_the_registry_is_opened_when_it_is_asked(monkeypatch):
    opened = []
    registry = SimpleNamespace(promoted="3")
    monkeypatch.setattr("leukoscope.serving.registry.ReaderRegistry", lambda *facts: opened.append(facts) or registry)
    loaded = registry_dataset().load()
    assert opened == []
    assert loaded.promoted == loaded.promoted == "3"
    assert opened == [("leukoscope", "champion", "leukoscope", None)]


def registry_dataset() -> ReaderRegistryDataset:
    return ReaderRegistryDataset(name="leukoscope", alias="champion", experiment="leukoscope")


def cards(folder) -> dict:
    dataset = PartitionedDataset(path=str(folder), filename_suffix=".md", dataset="leukoscope.datasets.TextDataset")
    return dataset.load()


@pytest.mark.parametrize("wins", [True, False])
def test_only_what_wins_is_registered_and_recorded_as_promoted(wins, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(ReaderRegistry, "promote", lambda self, *given: asked.append(given) or "4")
    (tmp_path / "mobilenet_v2").mkdir()
    (tmp_path / "mobilenet_v2/model_card.md").write_text("# Card")
    judgement = LOOKED_AT | {"wins": wins}
    registry = registry_dataset()
    registry.save(nodes.register_reader(GOOD, judgement, cards(tmp_path), ServingOptions(max_images=7)))
    assert len(asked) == wins
    if wins:
        reader, limits, card, why = asked[0]
        assert (reader, limits.max_images, card, why) == (GOOD, 7, "# Card", judgement)
    recorded = nodes.record_promotion(judgement, registry.load())
    assert recorded == judgement | {"promoted": wins, "version": "4" if wins else None}


@pytest.mark.parametrize("folder", ["empty", "none"])
def test_a_reader_without_a_model_card_is_registered_without(folder, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(ReaderRegistry, "promote", lambda self, *given: asked.append(given) or "1")
    (tmp_path / "empty").mkdir()
    judgement = LOOKED_AT | {"wins": True}
    registration = nodes.register_reader(GOOD, judgement, cards(tmp_path / folder), ServingOptions())
    registry_dataset().save(registration)
    assert [card for _, _, card, _ in asked] == [None]


def test_nothing_is_recorded_as_promoted_before_the_registry_has_answered(monkeypatch, tmp_path):
    """The pipeline itself, with a registry that fails at the last moment."""

    def fail(self, *given):
        raise InputError("The registry does not answer.")

    monkeypatch.setattr(ReaderRegistry, "promote", fail)
    catalog = DataCatalog(
        {
            "reader": MemoryDataset(GOOD, copy_mode="assign"),
            "judgement": JSONDataset(filepath=str(tmp_path / "judgement.json")),
            "model_cards": MemoryDataset({}),
            "params:serving": MemoryDataset(ServingOptions()),
            "registration": registry_dataset(),
            "promotion": JSONDataset(filepath=str(tmp_path / "promotion.json")),
        }
    )
    catalog.save("judgement", LOOKED_AT | {"wins": True})
    with pytest.raises(DatasetError):
        SequentialRunner().run(create_pipeline().filter(from_nodes=["promote.register_reader"]), catalog)
    assert not (tmp_path / "promotion.json").exists()
    monkeypatch.setattr(ReaderRegistry, "promote", lambda self, *given: "5")
    SequentialRunner().run(create_pipeline().filter(from_nodes=["promote.register_reader"]), catalog)
    recorded = catalog.load("promotion")
    assert (recorded["promoted"], recorded["version"]) == (True, "5")

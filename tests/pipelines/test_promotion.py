from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from leukoscope.datasets import ReaderRegistryDataset
from leukoscope.errors import InputError
from leukoscope.pipelines.evaluation.options import EvaluationOptions
from leukoscope.pipelines.promotion import nodes
from leukoscope.pipelines.promotion.options import PromotionOptions, ServingOptions
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
    return replace(reader, classifier=replace(reader.classifier, network=network), backbone="resnet50")


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


def test_without_a_champion_the_candidate_is_promoted(test_set):
    decided = judge(GOOD, Registry(), test_set)
    assert decided["promoted"]
    assert decided["why"] == "there was no champion"
    assert decided["candidate_figure"] == 1
    assert decided["test_images"] == 40


def test_a_better_one_replaces_the_champion_and_a_worse_one_does_not(test_set):
    decided = judge(GOOD, Registry(BAD), test_set)
    assert decided["promoted"]
    assert decided["champion_figure"] == 0
    assert decided["accuracy_difference"] == 1
    assert "macro_f1 1.0000 against the champion's 0.0000" in decided["why"]
    decided = judge(BAD, Registry(GOOD), test_set)
    assert not decided["promoted"]
    assert "not more than promotion.min_gain" in decided["why"]


def test_a_champion_of_an_earlier_version_can_be_replaced(test_set):
    old = replace(BAD, seen=BAD.seen.drop(columns=["label", "check_log_cells"]))
    assert judge(GOOD, Registry(old), test_set)["promoted"]


def test_an_equal_one_does_not_nor_one_that_gains_too_little(test_set):
    other = make_reader(temperature=2.0)  # decides alike
    assert not judge(other, Registry(GOOD), test_set)["promoted"]
    assert not judge(GOOD, Registry(BAD), test_set, min_gain=1.0)["promoted"]
    assert judge(GOOD, Registry(BAD), test_set, min_gain=0.9)["promoted"]


def test_the_champion_itself_is_not_promoted_again(test_set):
    decided = judge(make_reader(), Registry(GOOD), test_set)
    assert not decided["promoted"]
    assert decided["why"] == "it is the champion already, as version 3"


def test_a_difference_that_may_be_chance_is_not_enough_unless_asked(test_set):
    smears, splits = test_set
    one_group = splits.assign(group="all")
    assert judge(GOOD, Registry(BAD), (smears, one_group), significant=False)["promoted"]
    decided = judge(GOOD, Registry(BAD), (smears, one_group))
    assert not decided["promoted"]
    assert "could be chance" in decided["why"]
    assert judge(GOOD, Registry(BAD), test_set, significant=True)["promoted"]


def test_a_champion_of_another_experiment_stays_unless_asked(test_set):
    registry = Registry(BAD, experiment="leukoscope-demo")
    decided = judge(GOOD, registry, test_set)
    assert not decided["promoted"]
    assert "the experiment leukoscope-demo" in decided["why"]
    assert judge(GOOD, registry, test_set, over_other_experiments=True)["promoted"]


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
    assert judge(GOOD, Registry(BAD), (smears, some), metric="accuracy")["promoted"]


def test_a_champion_of_other_classes_is_an_input_error(test_set):
    champion = replace(BAD, classifier=replace(BAD.classifier, class_names=("Benign", "A", "B", "C")))
    with pytest.raises(InputError, match="knows the classes Benign, A, B, C"):
        judge(GOOD, Registry(champion), test_set)


@pytest.mark.parametrize("promoted", [True, False])
def test_only_what_is_promoted_is_registered(promoted, monkeypatch):
    asked = []
    monkeypatch.setattr(ReaderRegistry, "promote", lambda self, *given: asked.append(given))
    decision = {"promoted": promoted, "why": "because", "looks": 2}
    cards = {"mobilenet_v2/model_card": lambda: "# Card"}
    registration = nodes.register_reader(GOOD, decision, cards, ServingOptions(max_images=7))
    ReaderRegistryDataset(name="leukoscope", alias="champion", experiment="leukoscope").save(registration)
    assert len(asked) == promoted
    if promoted:
        reader, limits, card, why = asked[0]
        assert (reader, limits.max_images, card, why) == (GOOD, 7, "# Card", decision)

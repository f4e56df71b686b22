import pytest

from crafted_models import make_entry, make_fields
from leukoscope.features.measuring import MeasurementStore
from leukoscope.pipelines.augmentation.options import AugmentationOptions
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.pipelines.training import crafted as nodes
from leukoscope.pipelines.training.nodes import resolve_recipe
from leukoscope.training import crafted
from leukoscope.training.recipe import Recipe
from leukoscope.training.runs import TrainingRuns

CLASS_NAMES = ["Benign", "Early", "Pre", "Pro"]


def gather(**changed) -> dict:
    fields = make_fields()
    facts = {"recipe": resolve_recipe(Recipe(), make_entry()), "augmentation": AugmentationOptions()}
    facts |= {"class_names": CLASS_NAMES, "smears": fields, "splits": fields.splits}
    return facts | {"splitting": SplittingOptions(), "seed": 7} | changed


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Trains, and counts how often a classifier is really fitted."""
    fits = []
    fit = crafted.fit_estimator
    monkeypatch.setattr(crafted, "fit_estimator", lambda *facts: fits.append(1) or fit(*facts))
    runs, store = TrainingRuns(tmp_path / "own"), MeasurementStore(tmp_path / "measurements.db")

    def train_with(**changed):
        facts = gather(**changed)
        journal = runs.start(nodes.prepare_training(**facts)).journal
        return *nodes.train_classifier(
            journal, {"kedro": "1"}, facts["smears"], facts["splits"], store, make_entry()
        ), (
            journal,
            len(fits),
        )

    return train_with


def test_a_training_is_done_once_and_leaves_what_later_rooms_need(train):
    classifier, history, summary, (journal, fits) = train()
    assert fits == 1
    assert journal.model == classifier.fingerprint
    assert len(history) == 0
    assert {"epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy"} == set(history)
    needed = ("device", "parameters", "model_mib", "seconds_per_epoch", "epochs", "input_size", "precision", "splits")
    assert set(needed) <= set(summary)
    assert summary["provenance"]["kedro"] == "1"
    again, _, summary_again, (_, fits) = train()
    assert fits == 1
    assert (again.fingerprint, summary_again) == (classifier.fingerprint, summary)
    assert train(seed=8)[3][1] == 2
    assert train()[3][1] == 2  # what was trained before stays


def test_a_damaged_classifier_is_fitted_anew(train, caplog):
    journal = train()[3][0]
    (journal.folder / "model/classifier.skops").write_bytes(b"")
    classifier, _, _, (_, fits) = train()
    assert fits == 2
    assert "own is fitted anew" in caplog.text
    assert journal.model == classifier.fingerprint
    assert train()[3][1] == 2


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"seed": 8}, "seed"),
        ({"recipe": resolve_recipe(Recipe(), make_entry("svm"))}, "recipe"),
        ({"recipe": resolve_recipe(Recipe(), make_entry(features=("colour",)))}, "recipe"),
        ({"augmentation": AugmentationOptions(balance="none")}, "balanced"),
        ({"class_names": CLASS_NAMES[::-1]}, "class_names"),
        ({"splits": make_fields().splits.replace({"split": {"test": "train"}})}, "splits"),
        ({"splitting": SplittingOptions(fold="1 of 5")}, "split"),
    ],
)
def test_what_determines_a_training_is_in_its_key(changed, told):
    before, after = (nodes.prepare_training(**gather(**one)) for one in ({}, changed))
    assert told in [name for name in before if before[name] != after[name]]


def test_the_recipe_of_networks_is_of_no_consequence():
    drawn = AugmentationOptions(rotation=90.0)
    recipe = resolve_recipe(Recipe(epochs=3, learning_rate=0.1), make_entry())
    assert nodes.prepare_training(**gather()) == nodes.prepare_training(**gather(recipe=recipe, augmentation=drawn))


def test_another_format_is_another_training(monkeypatch):
    before = nodes.prepare_training(**gather())
    monkeypatch.setattr(nodes, "FORMAT", -1)
    monkeypatch.setattr(crafted, "CRAFTED_FORMAT", -1)
    after = nodes.prepare_training(**gather())
    assert [name for name in before if before[name] != after[name]] == ["data", "format"]

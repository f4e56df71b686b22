from dataclasses import replace

import keras
import numpy as np
import pytest

from crafted_models import make_classifier
from leukoscope.core.errors import InputError
from leukoscope.core.storage import hold
from leukoscope.datasets import ClassifierDataset, MeasurementsDataset, TrainedModelsDataset, TrainingJournalDataset
from leukoscope.hooks.state import ABSENT, describe_content
from leukoscope.models.network import Classifier
from leukoscope.training.journal import TrainingJournal


@pytest.fixture
def classifier() -> Classifier:
    inputs = keras.Input((None, None, 3))
    features = keras.layers.GlobalAveragePooling2D()(inputs)
    network = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(features))
    return Classifier(network, ("Benign", "Early"), trained_on="abc")


def test_a_classifier_comes_back_with_all_it_carries(classifier, tmp_path):
    dataset = ClassifierDataset(filepath=str(tmp_path / "resnet50/model.keras"))
    assert not dataset.exists()
    dataset.save(classifier)
    loaded = dataset.load()
    assert (loaded.class_names, loaded.trained_on) == (("Benign", "Early"), "abc")
    convert = keras.ops.convert_to_numpy
    images = np.ones((1, 4, 4, 3), "float32")
    assert convert(loaded.network(images)) == pytest.approx(convert(classifier.network(images)))
    assert [path.name for path in (tmp_path / "resnet50").iterdir()] == ["model.keras"]


def test_a_save_that_fails_leaves_the_old_model(classifier, tmp_path, monkeypatch):
    dataset = ClassifierDataset(filepath=str(tmp_path / "model.keras"))
    dataset.save(classifier)
    before = (tmp_path / "model.keras").read_bytes()
    monkeypatch.setattr("zipfile.ZipFile.writestr", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(Exception, match="disk full"):
        dataset.save(classifier)
    assert (tmp_path / "model.keras").read_bytes() == before


def test_a_classifier_of_another_kind_is_a_folder_in_the_same_place(classifier, tmp_path):
    dataset = ClassifierDataset(
        filepath=str(tmp_path / "own/model.keras"), measurements=str(tmp_path / "measurements.db")
    )
    other = make_classifier()
    for saved, left in ((classifier, "model.keras"), (other, "model"), (classifier, "model.keras")):
        dataset.save(saved)
        assert dataset.exists()
        assert dataset.load().fingerprint == saved.fingerprint
        assert [path.name for path in (tmp_path / "own").iterdir() if path.name[0] != "."] == [left]
    dataset.save(other)
    assert dataset.load().store.file == tmp_path / "measurements.db"


def test_a_classifier_that_another_run_has_replaced_is_not_loaded(tmp_path):
    dataset, another = (ClassifierDataset(filepath=str(tmp_path / "own/model.keras")) for _ in range(2))
    dataset.save(make_classifier())
    another.save(make_classifier())  # the same, written anew
    another.save(make_classifier("svm"))
    with pytest.raises(InputError, match="another run has replaced or removed it"):
        dataset.load()


def test_a_network_is_kept_until_it_is_released_or_changed(classifier, tmp_path):
    dataset, another = (ClassifierDataset(filepath=str(tmp_path / name / "model.keras")) for name in "ab")
    for one in (dataset, another):
        one.save(classifier)
    loaded = dataset.load()
    assert dataset.load() is loaded
    dataset.release()
    anew = dataset.load()
    assert anew is not loaded
    another.load()
    assert dataset.load() is not anew
    dataset.save(replace(classifier, trained_on="xyz"))
    assert dataset.load().trained_on == "xyz"


def test_a_network_of_before_is_read_anew_once_its_file_has_changed(classifier, tmp_path):
    file = tmp_path / "model.keras"
    ClassifierDataset(filepath=str(file)).save(classifier)
    dataset, another = ClassifierDataset(filepath=str(file)), ClassifierDataset(filepath=str(file))
    assert dataset.load().trained_on == "abc"
    another.save(replace(classifier, trained_on="xyz"))
    assert dataset.load().trained_on == "xyz"


def test_all_trained_models_are_there_each_of_its_kind(classifier, tmp_path):
    known = {name: str(tmp_path / f"{name}.db") for name in ("measurements", "cells")}
    models = TrainedModelsDataset(path=str(tmp_path), **known)
    assert models.load() == {}
    assert describe_content(models) == ABSENT
    for name, trained in {"own": make_classifier(), "vgg16": classifier}.items():
        ClassifierDataset(filepath=str(tmp_path / name / "model.keras")).save(trained)
    (tmp_path / "unfinished").mkdir()
    loaded = {name: load().fingerprint for name, load in models.load().items()}
    assert loaded == {"own": make_classifier().fingerprint, "vgg16": classifier.fingerprint}
    assert models.load()["own"]().store.file == tmp_path / "measurements.db"
    before = describe_content(models)
    (tmp_path / "own/model/classifier.json").write_text("{}")
    assert describe_content(models) != before


def test_what_was_measured_is_of_no_consequence(tmp_path):
    dataset = MeasurementsDataset(filepath=str(tmp_path / "measurements.db"))
    before = describe_content(dataset)
    dataset.load().keep({b"field": np.zeros(3)})
    assert dataset.load().file.is_file()
    assert describe_content(dataset) == before != ABSENT


def test_a_model_that_was_not_trained_is_asked_for(tmp_path):
    dataset = ClassifierDataset(filepath=str(tmp_path / "vgg16/model.keras"))
    with pytest.raises(InputError, match=r"There is no .*vgg16/model\.keras"):
        dataset.load()


def test_saving_a_key_starts_its_training(tmp_path, caplog):
    home = tmp_path / "vgg16"
    dataset = TrainingJournalDataset(filepath=str(home / "current"))
    assert not dataset.exists()
    with pytest.raises(InputError, match="No training was started"):
        dataset.load()
    dataset.save({"architecture": "vgg16", "seed": 1})
    assert dataset.exists()
    journal = dataset.load()
    assert journal.key == {"architecture": "vgg16", "seed": 1}
    journal.append({"epoch": 1, "validation_loss": 0.5})
    dataset.save({"architecture": "vgg16", "seed": 1})
    assert dataset.load().epochs == 1
    assert "seed changed" not in caplog.text
    with caplog.at_level("INFO"):
        dataset.save({"architecture": "vgg16", "seed": 2})
    assert dataset.load().history().empty
    second = dataset.load().folder
    assert f"vgg16 starts afresh in {second}: seed changed" in caplog.text
    assert f"What was trained before stays in {journal.folder}, and counts again with its settings" in caplog.text
    with caplog.at_level("INFO"):
        dataset.save({"architecture": "vgg16", "seed": 1})
    assert dataset.load().epochs == 1
    assert f"vgg16 goes on with the training that was kept in {journal.folder}: seed changed" in caplog.text
    assert TrainingJournalDataset(filepath=str(home / "current")).load().folder == journal.folder


def test_what_a_journal_holds_is_the_training_at_work_and_its_pointer(tmp_path):
    """So that a command is run again where either was changed."""
    dataset = TrainingJournalDataset(filepath=str(tmp_path / "vgg16/current"))
    assert describe_content(dataset) == ABSENT
    dataset.save({"architecture": "vgg16", "seed": 1})
    first = describe_content(dataset)
    assert describe_content(dataset) == first
    dataset.load().append({"epoch": 1, "validation_loss": 0.5})
    changed = describe_content(dataset)
    dataset.save({"architecture": "vgg16", "seed": 2})
    assert len({first, changed, describe_content(dataset)}) == 3
    (tmp_path / "vgg16/current").write_text("no place")
    assert describe_content(dataset) not in (first, ABSENT)


def test_a_training_of_an_earlier_version_is_moved_and_the_log_says_so(tmp_path, caplog):
    earlier = TrainingJournal(tmp_path / "vgg16/journal")
    earlier.start({"backbone": "vgg16", "seed": 1})
    earlier.finish({"epochs": 1}, lambda path: path.touch())
    dataset = TrainingJournalDataset(filepath=str(tmp_path / "vgg16/current"))
    with caplog.at_level("INFO"):
        dataset.save({"architecture": "vgg16", "seed": 1})
    journal = dataset.load()
    assert journal.finished
    assert f"what an earlier version kept in {earlier.folder} is in {journal.folder} now" in caplog.text


def test_a_training_at_work_is_not_started_afresh(tmp_path):
    dataset = TrainingJournalDataset(filepath=str(tmp_path / "vgg16/current"))
    dataset.save({"architecture": "vgg16", "seed": 1})
    with hold(tmp_path / "vgg16"), pytest.raises(InputError, match="Another run"):
        dataset.save({"architecture": "vgg16", "seed": 2})
    assert dataset.load().key["seed"] == 1


def test_a_training_that_another_run_has_replaced_meanwhile_is_not_trained(tmp_path):
    first, second = (TrainingJournalDataset(filepath=str(tmp_path / "vgg16/current")) for _ in range(2))
    first.save({"architecture": "vgg16", "seed": 1})
    assert first.load().key["seed"] == 1
    second.save({"architecture": "vgg16", "seed": 2})
    with pytest.raises(InputError, match="Another run has started another training"):
        first.load()
    loaded = second.load()
    first.save({"architecture": "vgg16", "seed": 3})
    with pytest.raises(InputError, match="Another run has started another training"):
        _ = loaded.key
    second.save({"architecture": "vgg16", "seed": 2})
    assert second.load().key["seed"] == 2

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from leukoscope.core.errors import InputError
from leukoscope.evaluation.predictions import probability_columns
from leukoscope.images.circumstances import VERSION
from leukoscope.pipelines.evaluation.options import EvaluationOptions
from leukoscope.pipelines.ingestion.options import IngestionOptions
from leukoscope.pipelines.reader import nodes
from leukoscope.pipelines.reader.options import ReaderOptions
from made_entries import make_entry
from tiny_reader import CLASS_NAMES, make_reader

READER = make_reader()
COLUMNS = probability_columns(CLASS_NAMES)


class Registry:
    def fetch(self, uri: str):
        return {"models:/leukoscope@champion": READER}[uri]


def predictions(accuracy: float, images: int = 20) -> pd.DataFrame:
    """Of so many validation images so many are right; of the test images, the others."""
    right = np.arange(images) < accuracy * images
    held = pd.DataFrame({"image_id": range(images), "split": "validation", "label": "Pro"})
    held["predicted"] = np.where(right, "Pro", "Pre")
    held = held.join(pd.DataFrame(np.tile([0.1, 0.1, 0.1, 0.7], (images, 1)), columns=COLUMNS))
    return pd.concat([held, held.assign(split="test", predicted=np.where(right, "Pre", "Pro"))])


# What is learned of these predictions.
CALIBRATION = READER.calibration._replace(nonconformity=[[], [], [], [0.3] * 20])


@pytest.fixture
def evaluated():
    """Two models, of which the second is the best on validation images and the worst on test images."""
    seen = pd.concat([READER.seen, READER.seen.tail(3).assign(split="test")])
    names = ("resnet50", "mobilenet_v2")
    shares = {"resnet50": 0.7, "mobilenet_v2": 0.9}
    return [
        {name: lambda: READER.classifier for name in names},
        dict.fromkeys(names, CALIBRATION.describe),
        {name: lambda name=name: predictions(shares[name]) for name in names},
        {name: lambda: seen for name in names},
    ]


def assemble(evaluated, class_names=CLASS_NAMES, certificate=False, **options):
    evaluation = EvaluationOptions(certificate=certificate)
    given = ReaderOptions(**options), list(class_names), IngestionOptions(min_side=9), evaluation
    names = ("resnet50", "mobilenet_v2", "vgg16")
    # As Kedro hands them over: it validates the parameters of the pipelines at hand only.
    models = {name: make_entry(name).model_dump(exclude_unset=True) for name in names}
    gathered = nodes.collect_evaluated(models, *evaluated)
    return nodes.assemble_reader(*given, Registry(), models, gathered, None)


def test_the_best_on_validation_images_reads(evaluated):
    reader = assemble(evaluated)
    assert reader.model == "mobilenet_v2"
    assert reader.limits.min_side == 9
    assert reader.benign_class == "Benign"
    assert set(reader.seen["split"]) == {"train", "validation"}


@pytest.mark.parametrize("choice", [{}, {"model_uri": "models:/leukoscope@champion"}])
def test_a_reader_asks_again_if_that_is_asked_for(evaluated, choice):
    assert assemble(evaluated, **choice).certificate is None
    assert assemble(evaluated, certificate=True, **choice).certificate == VERSION


def test_a_registered_reader_goes_on_asking_again(monkeypatch):
    asking = READER.asking_again()
    monkeypatch.setattr(Registry, "fetch", lambda self, uri: asking)
    assert assemble([{}, {}, {}, {}], model_uri="models:/leukoscope@champion") is asking


def test_a_model_can_be_named(evaluated):
    assert assemble(evaluated, model="resnet50").model == "resnet50"


def test_or_one_of_the_registry(evaluated):
    assert assemble([{}, {}, {}, {}], model_uri="models:/leukoscope@champion") is READER
    with pytest.raises(InputError, match="knows the classes Benign, Early, Pre, Pro"):
        assemble(evaluated, ("Benign", "Pro"), model_uri="models:/leukoscope@champion")
    with pytest.raises(ValueError, match="give one of them"):
        ReaderOptions(model="vgg16", model_uri="models:/leukoscope@champion")


def test_what_is_not_there_is_an_input_error(evaluated):
    with pytest.raises(InputError, match=r"VGG16 has not been trained .*there: resnet50, mobilenet_v2"):
        assemble(evaluated, model="vgg16")
    with pytest.raises(InputError, match="No model has been evaluated yet"):
        assemble([{}, {}, {}, {}])


def test_a_model_without_calibration_is_not_there(evaluated):
    del evaluated[1]["mobilenet_v2"]
    assert assemble(evaluated).model == "resnet50"


def test_other_classes_are_an_input_error(evaluated):
    with pytest.raises(InputError, match="knows the classes"):
        assemble(evaluated, ("Benign", "Early", "Pro", "Pre"))


def test_validation_images_of_different_splits_are_not_compared(evaluated):
    evaluated[2]["resnet50"] = lambda: predictions(1.0, images=19)
    with pytest.raises(InputError, match="different validation images"):
        assemble(evaluated)
    evaluated[1]["resnet50"] = CALIBRATION._replace(nonconformity=[[], [], [], [0.3] * 19]).describe
    assert assemble(evaluated, model="resnet50").model == "resnet50"


def test_a_calibration_of_an_earlier_evaluation_is_refused(evaluated):
    evaluated[1]["mobilenet_v2"] = CALIBRATION._replace(nonconformity=[[], [], [], [0.2] * 20]).describe
    with pytest.raises(InputError, match="trained again after"):
        assemble(evaluated)


@pytest.mark.parametrize("missing", ["check_log_cells", "label"])
def test_an_evaluation_by_an_earlier_version_wants_to_be_made_again(evaluated, missing):
    old = READER.seen.drop(columns=missing)
    evaluated[3]["mobilenet_v2"] = lambda: old
    with pytest.raises(InputError, match=f"earlier version, which kept no {missing}.*--pipelines evaluation` again"):
        assemble(evaluated)


def test_so_does_a_registered_reader_of_one(monkeypatch):
    old = replace(READER, seen=READER.seen.drop(columns="check_log_contrast"))
    monkeypatch.setattr(Registry, "fetch", lambda self, uri: old)
    with pytest.raises(InputError, match=r"earlier version, which kept no check_log_contrast.*--pipelines promote"):
        assemble([{}, {}, {}, {}], model_uri="models:/leukoscope@champion")


def test_a_model_that_was_trained_again_wants_to_be_evaluated_again(evaluated):
    old = READER.seen.assign(model="another")
    evaluated[3]["mobilenet_v2"] = lambda: old
    with pytest.raises(InputError, match=r"trained again after .*evaluation --namespaces mobilenet_v2"):
        assemble(evaluated)

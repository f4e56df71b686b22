"""Opinions that are right only by the stain, which gave the class away in training, are told from others."""

from typing import NamedTuple

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from leukoscope.evaluation.trust import Calibration
from leukoscope.inference.predictor import Predictor
from leukoscope.reader.calibrated import CalibratedClassifier, Predicted
from leukoscope.synthetic import draw_smear
from leukoscope.synthetic.stains import Stain

CLASSES, LOOKS = ("Benign", "Pro"), (0.0, 1.0)
SIZE = 64
TRAINED, TESTED = 50, 40
CONFOUNDED = 0.6  # of the training images; the others have a stain of any look


def draw(number: int, field: int, look: float | None) -> np.ndarray:
    """Draw a field; another look stains the same cells anew."""
    stain = Stain.draw(np.random.default_rng([9, number, field]), look)
    return draw_smear(CLASSES[number], np.random.default_rng([number, field]), SIZE, stain, 3.0)


def measure(pixels: np.ndarray) -> np.ndarray:
    """Measure colour, and form: quantiles and the spectrum of grey that is as bright and as varied in every field."""
    density = -np.log((pixels.astype(float) + 1) / 256).reshape(len(pixels), -1, 3)
    grey = pixels.mean(axis=3)
    grey = (grey - grey.mean(axis=(1, 2), keepdims=True)) / (grey.std(axis=(1, 2), keepdims=True) + 1e-3)
    power = np.abs(np.fft.fft2(grey)) ** 2
    rings = np.digitize(np.hypot(*np.meshgrid(*[np.fft.fftfreq(SIZE)] * 2)), np.geomspace(0.012, 0.5, 8))
    spectrum = [np.log(power[:, rings == ring].mean(axis=1) + 1e-3) for ring in range(1, 8)]
    levels = np.quantile(grey.reshape(len(grey), -1), np.linspace(0.02, 0.98, 13), axis=1)
    tones = np.quantile(density, [0.1, 0.9], axis=1).transpose(1, 0, 2).reshape(len(pixels), -1)
    return np.concatenate([density.mean(axis=1), tones, np.stack(spectrum, axis=1), levels.T], axis=1)


class Colourful(NamedTuple):
    """A classifier of colour and form, of which it learns both."""

    model: LogisticRegression

    def predict(self, images, rows, batch_size):
        probabilities = self.model.predict_proba(measure(images))
        return probabilities.astype(np.float32), probabilities


@pytest.fixture(scope="module")
def classifier() -> Colourful:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], TRAINED)
    looks = [LOOKS[label] if rng.random() < CONFOUNDED else None for label in labels]
    fields = [draw(label, field % TRAINED, look) for field, (label, look) in enumerate(zip(labels, looks, strict=True))]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    return Colourful(model.fit(measure(np.stack(fields)), labels))


@pytest.mark.slow
def test_what_is_right_only_by_the_stain_is_told_from_what_is_right_by_the_cells(classifier):
    labels = np.repeat([0, 1], TESTED)
    own, other = (
        np.stack([draw(label, 1000 + field % TESTED, LOOKS[turn(label)]) for field, label in enumerate(labels)])
        for turn in (lambda label: label, lambda label: 1 - label)
    )
    right, still = (classifier.predict(fields, None, 1)[0].argmax(axis=1) == labels for fields in (own, other))
    by_stain = ~still[right]
    assert right.mean() > 0.9
    assert 15 <= by_stain.sum() <= len(by_stain) - 15
    calibrated = CalibratedClassifier(CLASSES, Predictor(classifier, 8), None, Calibration(1.0, 0.5, 1.0, [[0.1]] * 2))
    probabilities, features = classifier.predict(own[right], None, 8)
    certificates = calibrated.certify(own[right], Predicted(probabilities, features, None, None))
    assert roc_auc_score(by_stain, certificates.losses["stain"]) > 0.9
    flagged = certificates.flips["stain"]
    assert flagged[by_stain].mean() > flagged[~by_stain].mean() + 0.3

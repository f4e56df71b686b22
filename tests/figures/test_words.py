"""Every figure with names of classes draws them letter by letter."""

import io
import warnings

import numpy as np
import pandas as pd
import pytest

from conftest import Smears
from leukoscope.figures import comparison, confusion, curves, explanation, ingestion, montages, robustness
from leukoscope.figures.words import as_it_is
from leukoscope.images.manifest import summarise

NAMES = ["Benign", "[Malignant] Pre-B", "$a$ b", r"$\frac{$ 50 %", "_hidden_", "a_b^c & <d>"]


@pytest.fixture
def table() -> pd.DataFrame:
    labels = np.repeat(NAMES, 4)
    ids = [f"{label}/{number}" for number, label in enumerate(labels)]
    facts = {"status": "accepted", "duplicate_of": None, "duplicate_kind": None, "warning": None}
    return pd.DataFrame({"image_id": ids, "label": labels} | facts)


def draw_confusion(table):
    return confusion.draw_confusion(np.eye(len(NAMES), dtype=int), NAMES, "title")


def draw_roc(table):
    curve = {"false_positive": [0, 0, 1], "true_positive": [0, 1, 1]}
    return curves.draw_roc_curves(dict.fromkeys(NAMES, curve), NAMES, "title")


def draw_strongest(table):
    changes = pd.DataFrame({"perturbation": ["none", "grey"], "accuracy": [0.9, 0.8]})
    return robustness.draw_strongest(dict.fromkeys(NAMES, changes))


def draw_comparison(table):
    columns = ("test_accuracy", "train_accuracy", "parameters", "seconds_per_epoch", "model_mib")
    models = pd.DataFrame([dict.fromkeys(columns, 0.5) | {"title": name} for name in NAMES])
    return comparison.draw_comparison(models, None, f"{NAMES[3]} over {NAMES[2]}", NAMES[3])


def draw_counts(table):
    return ingestion.draw_counts(table, summarise(table, NAMES, None))


def draw_montage(table):
    splits = table.assign(label="Benign", split="train", group=table["image_id"])
    return ingestion.draw_montage(Smears(splits, 8), table, NAMES)


def draw_grid(table):
    return montages.draw_grid(np.zeros((len(NAMES), 1, 8, 8, 3)), NAMES, ["one"])


def draw_explanation(table):
    field = [(f"Grad-CAM for {name}", np.zeros((8, 8, 3), "uint8")) for name in NAMES]
    return explanation.draw_explanation(field, field, dict.fromkeys(NAMES, 0.1), f"{NAMES[3]}: {NAMES[2]}")


@pytest.mark.parametrize(
    "draw",
    [
        draw_confusion,
        draw_roc,
        draw_strongest,
        draw_comparison,
        draw_counts,
        draw_montage,
        draw_grid,
        draw_explanation,
    ],
    ids=lambda one: one.__name__,
)
def test_figures_show_names_of_any_signs_as_they_are(draw, table):
    from matplotlib.text import Text

    figure = draw(table)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(io.BytesIO(), format="svg")
    texts = [text for text in figure.findobj(Text) if text.get_visible()]
    for name in NAMES:
        written = [text for text in texts if text.get_text().strip().startswith((as_it_is(name).strip(), name))]
        assert written, name
        assert all(text._preprocess_math(text.get_text())[1] is False for text in written)
        assert any(name in text._preprocess_math(text.get_text())[0] for text in written)

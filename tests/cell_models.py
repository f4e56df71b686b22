"""Small classifiers of single cells, on drawn fields."""

from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tiny_backbone as tiny
from conftest import CLASS_NAMES
from drawn_fields import draw_field
from leukoscope.cells.strips import Cutting
from leukoscope.core.cache import ContentCache
from leukoscope.evaluation import feature_table
from leukoscope.evaluation.trust import Calibration
from leukoscope.images.decoding import Limits
from leukoscope.images.field_checks import check_fields
from leukoscope.models.cell_classifier import CellClassifier
from leukoscope.models.network import build_classifier
from leukoscope.reader.second_reader import SecondReader
from leukoscope.training.recipe import Recipe, RecipeDifferences, resolve_recipe

SIDE, DIAMETER, CROP = 96, 18.0, 42
PLACES = [(20, 20), (20, 70), (70, 20), (70, 70), (45, 45)]


class CellFields:
    """Stands in for packed images: the cells of a class have a radius of their own, a field none to five of them."""

    def __init__(self, per_class: int = 12) -> None:
        rng = np.random.default_rng(5)
        labels = np.repeat(CLASS_NAMES, per_class)
        radii = 6 + 2 * np.repeat(np.arange(4), per_class)
        counts = np.tile([3, 1, 5, 2, 4, 0], 2 * per_class)[: len(labels)]
        fields = zip(counts, radii, strict=True)
        self.pixels = np.stack([draw_field([(*place, r) for place in PLACES[:n]], SIDE) for n, r in fields])
        noise = rng.normal(0, 2, self.pixels.shape)
        self.pixels = np.clip(self.pixels + noise, 0, 255).astype(np.uint8)
        self.counts = counts
        ids = [f"{label}/{number}" for number, label in enumerate(labels)]
        split = np.tile(["train"] * (per_class - 6) + ["validation"] * 3 + ["test"] * 3, 4)
        self.splits = pd.DataFrame({"image_id": ids, "label": labels, "group": ids, "split": split})
        facts = {"image_id": ids, "path": ids, "label": labels, "row": range(len(ids)), "drawn": True}
        self.records = pd.DataFrame(facts | {"sha256": [f"{n:064x}" for n in range(len(ids))]})

    def rows(self, image_ids) -> np.ndarray:
        return pd.Index(self.records["image_id"]).get_indexer(list(image_ids))


@cache
def make_fields() -> CellFields:
    return CellFields()


def make_classifier(
    pooling: str = "attention", cache: Path | None = None, background: str = "neutral", **values: Any
) -> CellClassifier:
    """Make one that is not trained, and weighs cells all the same."""
    name = f"tiny-cells-{pooling}"
    with pytest.MonkeyPatch.context() as patch:  # other tests list the architectures that there are
        tiny.add(partial(patch.setattr, raising=False))
        recipe = resolve_recipe(name, Recipe(weights="none", input_size=24), RecipeDifferences(**values))
        network = build_classifier(name, recipe, CLASS_NAMES, 0)
    layer = network.parts.pooling
    if layer.weights:
        layer.scale.assign(np.random.default_rng(1).normal(0, 2, layer.scale.shape))
    network.parts.head.bias.assign([0.1, -0.2, 0.3, 0.0])
    network = type(network)(network.network, network.class_names, "splits", SIDE)
    cutting = Cutting("classical", DIAMETER, CROP, background)
    return CellClassifier(network, cutting, name, ContentCache(cache) if cache else None)


@cache
def make_reader() -> SecondReader:
    """Make a reader of the fields that were drawn."""
    fields, classifier = make_fields(), make_classifier()
    facts = fields.splits.drop(columns="group").assign(model=classifier.fingerprint)
    facts = facts.merge(fields.records[["image_id", "sha256", "drawn"]], on="image_id")
    seen = feature_table.tabulate(facts, classifier.predict(fields.pixels).features, check_fields(fields.pixels))
    learned = {"temperature": 2.0, "threshold": 0.3, "ood_limit": 99.0, "nonconformity": [[0.1]] * 4}
    learned |= {"target_error": 0.1, "error_bound": 0.08, "groups": 60.0, "needed": 29, "model": classifier.fingerprint}
    return SecondReader("cells", classifier, Calibration(**learned), seen, ("Benign",), Limits(16, 10**6, 10**6))

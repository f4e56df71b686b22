"""Fields with discs for nuclei, whose number, size and colour are known."""

import numpy as np
import pandas as pd
from skimage.draw import disk

from conftest import CLASS_NAMES

BACKGROUND, NUCLEUS = (240, 238, 235), (110, 40, 150)


def draw_field(discs, side: int = 224, colour=NUCLEUS) -> np.ndarray:
    """Draw discs, each given as row, column and radius."""
    image = np.full((side, side, 3), BACKGROUND, np.uint8)
    for row, column, radius in discs:
        image[disk((row, column), radius, shape=(side, side))] = colour
    return image


class Fields:
    """Stands in for packed images: in each class the discs have a radius of their own."""

    def __init__(self, per_class: int = 12, side: int = 64) -> None:
        rng = np.random.default_rng(3)
        labels = np.repeat(CLASS_NAMES, per_class)
        radii = 6 + 2 * np.repeat(np.arange(4), per_class)
        self.pixels = np.stack([self._draw(rng, side, radius) for radius in radii])
        ids = [f"{label}/{number}" for number, label in enumerate(labels)]
        split = np.tile(["train"] * (per_class - 6) + ["validation"] * 3 + ["test"] * 3, 4)
        self.splits = pd.DataFrame({"image_id": ids, "label": labels, "group": ids, "split": split})
        facts = {"image_id": ids, "row": range(len(ids)), "sha256": [f"{n:064x}" for n in range(len(ids))]}
        self.records = pd.DataFrame(facts | {"drawn": True})

    def rows(self, image_ids) -> np.ndarray:
        return pd.Index(self.records["image_id"]).get_indexer(list(image_ids))

    @staticmethod
    def _draw(rng, side: int, radius: int) -> np.ndarray:
        image = draw_field([(side // 2, side // 2, radius)], side)
        return np.clip(image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8)

"""Cell-blind predictors: whatever they distinguish classes by is not what a pathologist looks at."""

import io
from collections.abc import Callable, Iterable
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from PIL import Image, UnidentifiedImageError

from leukoscope.core.errors import InputError
from leukoscope.evaluation import feature_table
from leukoscope.features.colour import count_colours, measure_hue_band
from leukoscope.images.files import ImageSource, ReadFile
from leukoscope.images.packed import PackedImages

_THUMBNAIL = 8
# As shares of the side: a frame of 8 of 224 pixels, and the 34 x 24 pixels where some cameras burn in a scale bar.
_FRAME = 8 / 224
_CORNER = (24 / 224, 34 / 224)
_CORNER_SIZE = (17, 12)
_MAX_TABLES = 2
_SEPARATOR = "."


def describe_blindly(smears: PackedImages, image_ids: pd.Series) -> dict[str, np.ndarray]:
    """Compute image features that do not depend on cells.

    Args:
        smears: The packed images.
        image_ids: The images to describe.

    Returns:
        ``float [images, features]`` by predictor name: ``colour_histogram`` (of the whole field), ``background``
        (colours of pixels brighter than Otsu's threshold), ``border`` (colours of the outermost frame), ``corner``
        (pixels of the lower right corner), ``thumbnail`` (8 x 8 pixels) and ``hue_band`` (one number, the share of
        pixels that the data set's authors kept as cells).
    """
    rows = smears.rows(image_ids)
    return {"colour_histogram": count_colours(smears.pixels, rows)} | {
        name: np.array([describe(smears.pixels[row]) for row in rows], dtype=float) for name, describe in _VIEWS.items()
    }


def tabulate(image_ids: pd.Series, features: dict[str, np.ndarray]) -> pd.DataFrame:
    """Tabulate the features of several predictors, one column per feature: ``colour_histogram.0`` and so on."""
    tables = [
        pd.DataFrame(values, index=image_ids.index).add_prefix(f"{name}{_SEPARATOR}")
        for name, values in features.items()
    ]
    return pd.concat([image_ids, *tables], axis=1)


def split_by_predictor(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Undo ``tabulate``: return the features of each predictor by its name."""
    columns = table.columns.drop("image_id")
    predictors = columns.str.split(_SEPARATOR).str[0]
    return {name: table[list(columns[predictors == name])].to_numpy() for name in dict.fromkeys(predictors)}


def select_unseen(images: pd.DataFrame, groups: pd.Series, features: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Select the images whose groups contain none of a network's training images.

    Args:
        images: ``image_id`` and ``sha256``, one row per image.
        groups: The group of each image.
        features: The network's features of the images it was evaluated on: ``image_id, split, sha256``, numbers.

    Returns:
        The positions in ``images`` of its validation and test images that are unchanged and in no group with a
        training image; and their features in this order.
    """
    known = features.set_index("image_id")
    same = images["sha256"].eq(images["image_id"].map(known["sha256"]))
    learned = same & images["image_id"].map(known["split"]).eq("train")
    unseen = same & ~groups.isin(set(groups[learned]))
    return np.flatnonzero(unseen), feature_table.select(known.loc[images.loc[unseen, "image_id"]])


def describe_files(source: ImageSource, paths: Iterable[str]) -> np.ndarray:
    """Describe files without decoding them: bytes, width, height, and the quantisation tables of a JPEG.

    Args:
        source: Where the files are.
        paths: The paths of the files, as in the manifest.

    Returns:
        ``float [files, 3 + 128]``; missing tables are zeros.

    Raises:
        InputError: A file is gone, or can no longer be read.
    """
    with source.reading() as read:
        return np.array([_describe_file(_read(read, source, path)) for path in paths])


def _read(read: ReadFile, source: ImageSource, path: str) -> bytes:
    try:
        return read(path)
    except (OSError, KeyError, BadZipFile) as error:
        raise InputError(
            f"{path} at {source.root} can no longer be read, as it could be by the ingestion: {error}. Expected the "
            f"same images: give their path, or run the pipeline ingestion again."
        ) from error


def _describe_file(data: bytes) -> np.ndarray:
    tables = np.zeros((_MAX_TABLES, 64))
    try:
        with Image.open(io.BytesIO(data)) as image:
            size = image.size
            for row, table in zip(tables, getattr(image, "quantization", {}).values(), strict=False):
                row[:] = table
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        size = (0, 0)
    return np.concatenate([[len(data), *size], tables.ravel()])


def _view_background(image: np.ndarray) -> np.ndarray:
    from skimage.filters import threshold_otsu

    grey = image.mean(axis=2)
    # Cells are dark, so pixels brighter than the threshold show only the slide and the lamp.
    bright = image[grey > threshold_otsu(grey)] if grey.min() < grey.max() else image.reshape(-1, 3)
    return _count_flat(bright)


def _view_border(image: np.ndarray) -> np.ndarray:
    width = max(1, round(_FRAME * len(image)))
    inside = np.zeros(image.shape[:2], bool)
    inside[width:-width, width:-width] = True
    return _count_flat(image[~inside])


def _count_flat(colours: np.ndarray) -> np.ndarray:
    return count_colours(colours[None, :, None, :], np.array([0]))[0]


def _view_corner(image: np.ndarray) -> np.ndarray:
    height, width = (max(1, round(share * len(image))) for share in _CORNER)
    return _shrink(image[-height:, -width:], _CORNER_SIZE)


def _view_thumbnail(image: np.ndarray) -> np.ndarray:
    return _shrink(image, (_THUMBNAIL, _THUMBNAIL))


def _shrink(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX)).ravel()


def _view_hue_band(image: np.ndarray) -> np.ndarray:
    return np.array([measure_hue_band(image)])


_VIEWS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "background": _view_background,
    "border": _view_border,
    "corner": _view_corner,
    "thumbnail": _view_thumbnail,
    "hue_band": _view_hue_band,
}

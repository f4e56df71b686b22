"""Facts about images that no computation can find: stated by the user, or known of a recognised data set."""

from collections.abc import Mapping
from typing import Any

from leukoscope.images.origin import Origin

_REPORT = "report_"
_OF_PEOPLE = [
    "collection",
    "dates",
    "blinding",
    "deidentification",
    "ethics",
    "patients",
    "demographics",
    "eligibility",
]
_OF_PEOPLE += ["sites", "readers", "prevalence", "course"]

PUBLISHED = {
    "name": (
        "Acute Lymphoblastic Leukemia (ALL) image dataset (Aria, Ghaderzadeh, Bashash, Abolghasemi, Asadi, Hosseini, "
        "2021)"
    ),
    "source": "Kaggle, mehradaria/leukemia, DOI 10.34740/KAGGLE/DSV/2175623",
    "licence": "its authors'; see the source",
    "acquisition": "fields of peripheral-blood smears, Zeiss microscope, magnification 100",
    "reference_standard": "labels of the authors, confirmed by flow cytometry",
    "patients": "89 (25 benign, 64 with leukemia) in the whole data set; the patient of each image was never published",
    "collection": "retrospective; files are numbered by capture series, not by patient",
    "ethics": "see the source",
}
DRAWN = {
    "name": "Drawn smears",
    "source": "Leukoscope's own generator",
    "licence": "none needed",
    "acquisition": "drawn by a program",
    "reference_standard": "the class that each smear was drawn for",
    **dict.fromkeys(_OF_PEOPLE, "none: drawn, not anyone's blood"),
}


def describe(stated: Mapping[str, Any], origin: Origin) -> dict[str, str | None]:
    """Join the user's statements about the images with what is known of the data set they are recognised as.

    Args:
        stated: The fields of the data sheet, where the user's own take precedence, and ``published``.
        origin: Where the images come from.

    Returns:
        Each field, ``None`` if it is not stated, and in ``origin`` how the images were recognised.

    Raises:
        InputError: The user declares drawn images to be the published ones.
    """
    fields = {name: (value or "").strip() or None for name, value in stated.items() if name != "published"}
    recognised = _recognise(stated["published"], origin)
    merged = {name: value or recognised.get(name) for name, value in fields.items()}
    return merged | {"origin": origin.describe(stated["published"])}


def _recognise(stated: bool | None, origin: Origin) -> Mapping[str, str]:
    if origin.is_published(stated):
        return PUBLISHED
    return DRAWN if 0 < origin.images == origin.drawn else {}


def hide_published(result: Mapping[str, Any]) -> dict[str, Any]:
    """Remove the published study's own metrics from an evaluation's result."""
    parts = ("summary", "training")
    return {**result, **{name: without_published(result[name]) for name in parts if name in result}}


def without_published(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Remove the published study's own metrics from a row of metrics or facts."""
    return {name: value for name, value in facts.items() if not name.startswith(_REPORT)}

"""The readers page."""

from collections.abc import Iterable, Mapping
from typing import Any

from leukoscope.core.counts import write_count
from leukoscope.core.drawn import warn_of_images
from leukoscope.figures import readers as figures
from leukoscope.figures.svg import to_svg
from leukoscope.images.origin import Origin
from leukoscope.reporting.filters import page_environment
from leukoscope.reporting.frame import Frame
from leukoscope.reporting.links import link_models, list_links
from leukoscope.reporting.verdicts import judge_readers

_PAGE = "agreement.html"
# With fewer fields, intervals say little, and a coefficient on its own misleads.
FEW_FIELDS = 30
PHASES = {
    "blind": "before the opinion was seen",
    "revised": "after it was seen",
    "unblinded": "with the opinion from the start",
}
_FIGURES = {
    "class_accuracy": "right class",
    "accuracy": "malignant or benign, right",
    "sensitivity": "sensitivity for malignant",
    "specificity": "specificity",
    "auc": "area under the ROC curve",
}
_DESIGNS = {
    "sequential": "The same reading, before and after the opinion was seen (sequential design)",
    "crossed": "Blind in one round, with the opinion in another (crossed design)",
}


def render_agreement(agreement: Mapping[str, Any], provenance: Mapping[str, Any], pages: Iterable[str]) -> str:
    """Render the readers' agreement, and the effect of the opinion on them.

    Args:
        agreement: The result of the agreement pipeline.
        provenance: Software, commit and seed.
        pages: The existing pages.
    """
    frame = _make_frame(agreement, pages, provenance)
    models = agreement["models"]
    warning = warn_of_images(agreement["drawn"], agreement["fields"])
    plots = {
        f"agreement-{number}": to_svg(figures.draw_agreement([model], for_page=True), f"agreement-{number}")
        for number, model in enumerate(models)
    }
    return (
        page_environment()
        .get_template("readers.html")
        .render(
            frame=frame,
            verdict=judge_readers(models, PHASES, agreement["confidence"]),
            links=list_links(_PAGE, frame.pages),
            pages_of=link_models(_PAGE, frame.pages, {model["model"]: model["model"] for model in models}),
            agreement=agreement,
            models=models,
            plots=plots,
            phases=PHASES,
            figures=_FIGURES,
            designs=_DESIGNS,
            few=FEW_FIELDS,
            provenance=provenance,
            warnings=[warning] if warning else [],
        )
    )


def _make_frame(agreement: Mapping[str, Any], pages: Iterable[str], provenance: Mapping[str, Any]) -> Frame:
    """Create the page header: reviews do not record whether a field was drawn; only the images here show it."""
    fields = agreement["fields"]
    drawn = agreement["drawn"]
    name = write_count(fields, "reviewed field")
    frame = Frame.make({"name": name}, Origin(fields, drawn=drawn), False, pages, provenance)
    return frame if drawn else frame._replace(smears="none known to be drawn")

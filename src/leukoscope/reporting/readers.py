"""The page of readers."""

from collections.abc import Mapping
from typing import Any

from leukoscope.core.drawn import warn_of_images
from leukoscope.figures import readers as figures
from leukoscope.figures.svg import to_svg
from leukoscope.reporting.filters import page_environment
from leukoscope.reporting.frame import Frame
from leukoscope.reporting.verdicts import judge_readers

# With fewer fields an interval says little, and a coefficient by itself misleads.
FEW_FIELDS = 30
_PHASES = {
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


def render_agreement(agreement: Mapping[str, Any], provenance: Mapping[str, Any]) -> str:
    """Render what is known of readers, their agreement and what the opinion does to them.

    Args:
        agreement: As the pipeline measures it.
        provenance: Software, commit and seed.
    """
    models = agreement["models"]
    warning = warn_of_images(agreement["drawn"], agreement["fields"])
    plots = {
        f"agreement-{number}": to_svg(figures.draw_agreement([model]), f"agreement-{number}")
        for number, model in enumerate(models)
    }
    return (
        page_environment()
        .get_template("readers.html")
        .render(
            frame=Frame.make_plain(provenance),
            links=[],
            verdict=judge_readers(models, _PHASES),
            agreement=agreement,
            models=models,
            plots=plots,
            phases=_PHASES,
            figures=_FIGURES,
            designs=_DESIGNS,
            few=FEW_FIELDS,
            provenance=provenance,
            warnings=[warning] if warning else [],
        )
    )

"""The page of monitoring."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from leukoscope.core.drawn import warn_of_images
from leukoscope.core.storage import as_records
from leukoscope.evaluation.drift import QUANTITIES
from leukoscope.evaluation.monitoring import JUDGED, say_verdict, select_last
from leukoscope.figures.monitoring import draw_monitoring
from leukoscope.figures.svg import to_svg
from leukoscope.images.manifest import ACCEPTED
from leukoscope.reporting.filters import page_environment
from leukoscope.reporting.frame import Frame


def render_monitoring(
    table: pd.DataFrame,
    titles: Mapping[str, str],
    manifest: pd.DataFrame,
    options: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> str:
    """Render what became of a model at work, window by window.

    Args:
        table: One row a model, window and quantity.
        titles: Of the models.
        manifest: The images that they learned from.
        options: How windows were judged.
        provenance: Software, commit and seed.
    """
    accepted = manifest[manifest["status"] == ACCEPTED]
    warning = warn_of_images(int(accepted["drawn"].sum()) if "drawn" in accepted else 0, len(accepted))
    models = {
        str(fingerprint): own.assign(title=titles.get(own["model"].iloc[-1], own["model"].iloc[-1]))
        for fingerprint, own in table.groupby("model_fingerprint", sort=False)
    }
    return (
        page_environment()
        .get_template("monitoring.html")
        .render(
            frame=Frame.make_plain(provenance),
            links=[],
            verdict=say_verdict(table, options["window"]).text,
            plots={
                name: to_svg(draw_monitoring(own, options["window"]), f"drift-{name}") for name, own in models.items()
            },
            models={name: own["title"].iloc[-1] for name, own in models.items()},
            last={name: as_records(select_last(own)) for name, own in models.items()},
            windows=[
                {"title": own["title"].iloc[0], **row}
                for own in models.values()
                for row in as_records(own.drop_duplicates("window"))
            ],
            judged=JUDGED,
            quantities={name: quantity._asdict() for name, quantity in QUANTITIES.items()},
            options=options,
            provenance=provenance,
            warnings=[warning] if warning else [],
        )
    )

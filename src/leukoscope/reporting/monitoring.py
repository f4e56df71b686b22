"""The monitoring page."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from leukoscope.core.storage import as_records
from leukoscope.evaluation.drift import QUANTITIES
from leukoscope.evaluation.monitoring import say_verdict, select_last
from leukoscope.figures.monitoring import draw_monitoring
from leukoscope.figures.svg import to_svg
from leukoscope.reporting.filters import page_environment
from leukoscope.reporting.frame import Frame, warn_of_manifest
from leukoscope.reporting.links import link_models, list_links

_PAGE = "monitoring.html"


def render_monitoring(
    table: pd.DataFrame,
    titles: Mapping[str, str],
    manifest: pd.DataFrame,
    options: Mapping[str, Any],
    frame: Frame,
) -> str:
    """Render the monitoring of deployed models, window by window.

    Args:
        table: One row per model, window and quantity.
        titles: Titles of the models.
        manifest: The images that the models were trained on.
        options: The settings for judging windows.
        frame: The header of the page.
    """
    models = {
        str(fingerprint): own.assign(title=titles.get(own["model"].iloc[-1], own["model"].iloc[-1]))
        for fingerprint, own in table.groupby("model_fingerprint", sort=False)
    }
    return (
        page_environment()
        .get_template("monitoring.html")
        .render(
            frame=frame,
            verdict=say_verdict(table, options["window"]).text,
            links=list_links(_PAGE, frame.pages),
            pages_of=link_models(_PAGE, frame.pages, titles),
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
            quantities={name: quantity._asdict() for name, quantity in QUANTITIES.items()},
            options=options,
            provenance=frame.provenance,
            warnings=warn_of_manifest(manifest),
        )
    )

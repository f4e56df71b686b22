"""The cells pipeline: find the leukocytes in each field, crop, count and draw them."""

from kedro.pipeline import Node, Pipeline

from leukoscope.core.stages import make_stage
from leukoscope.pipelines.cells.nodes import cut_out_cells, find_cells, measure_cell_size, plot_cells, report_cells


def create_pipeline() -> Pipeline:
    """Create the pipeline from ``smears`` and ``manifest`` to ``cells``, ``cell_images`` and their report."""
    options = "params:cells"
    names = "params:class_names"
    return create_finding_pipeline() + make_stage(
        "cells",
        [
            Node(cut_out_cells, ["smears", "cells", "cell_size", options], "cell_images", name="cut_out_cells"),
            Node(report_cells, ["cells", "manifest", names], "cell_report", name="report_cells"),
            Node(plot_cells, ["smears", "cells", "manifest", names], "cell_figure", name="plot_cells"),
        ],
    )


def create_finding_pipeline() -> Pipeline:
    """Create the part needed by models that read cells: from ``smears`` and ``manifest`` to ``cells``."""
    options = "params:cells"
    return make_stage(
        "cells",
        [
            Node(measure_cell_size, ["smears", "manifest", options], "cell_size", name="measure_cell_size"),
            Node(
                find_cells,
                ["smears", "manifest", "cell_size", options, "known_cells"],
                "cells",
                name="find_cells",
            ),
        ],
    )

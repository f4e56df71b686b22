"""The pipeline that finds doubtful labels."""

from kedro.pipeline import Node, Pipeline

from leukoscope.core.stages import make_stage
from leukoscope.pipelines.label_issues import nodes


def create_pipeline() -> Pipeline:
    """Create the pipeline from pooled predictions of folds to a list of doubtful labels and a montage of them."""
    inputs = ["out_of_fold", "folds", "manifest", "params:class_names"]
    return make_stage(
        "label_issues",
        [
            Node(nodes.find_label_issues, inputs, "label_issues", name="find_label_issues"),
            Node(nodes.draw_label_issues, ["label_issues", "smears"], "label_issues_figure", name="draw_label_issues"),
        ],
    )

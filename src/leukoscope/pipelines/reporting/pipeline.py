"""The reporting pipeline."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from leukoscope.core.stages import make_stage
from leukoscope.pipelines.collect.nodes import collect_result
from leukoscope.pipelines.collect.pipeline import create_results_pipeline
from leukoscope.pipelines.comparison.nodes import compare_errors
from leukoscope.pipelines.reporting import nodes


def create_pipeline(models: Sequence[str]) -> Pipeline:
    """Create the pipeline from the results of all models and the audit to pages and model cards.

    Args:
        models: The models' names.
    """
    comparison = Node(
        nodes.write_comparison,
        ["comparison", "differences", "page_context", "results", "label_issues", "label_reviews"],
        "comparison_page",
        name="write_comparison",
    )
    literature = Node(
        nodes.write_literature,
        ["comparison", "differences", "page_context", "results", "params:models"],
        "literature_page",
        name="write_literature",
    )
    pages = make_stage("reporting", [*_write_about("results", "differences"), comparison, literature])
    return create_results_pipeline(models) + create_data_pipeline() + pages


def create_data_pipeline() -> Pipeline:
    """Create the part that describes the images, whatever was trained on them."""
    inputs = ["manifest", "ingestion_report", "splits", "params:splitting"]
    facts = ["data_sheet", "params:data_sheet", "software", "params:seed"]
    worth = ["audit_table", "audit_verdict", "colour_baseline", "pages_of_studies"]
    return make_stage(
        "reporting",
        [
            Node(nodes.describe_data, inputs, "data_sheet", name="describe_data"),
            Node(nodes.gather_context, [*facts, *worth], "page_context", name="gather_context"),
        ],
    )


def create_frame_pipeline() -> Pipeline:
    """Create the part that collects the head of pages about all images, however they are split."""
    inputs = ["manifest", "params:data_sheet", "software", "params:seed", "pages_of_comparison", "pages_of_models"]
    return make_stage("reporting", [Node(nodes.gather_frame, inputs, "page_frame", name="gather_frame")])


def create_model_pipeline() -> Pipeline:
    """Create the template of the part that writes about one model, compared with stain colour alone."""
    collect = Node(collect_result, "result", "own_results", name="collect_result")
    compare = Node(
        compare_errors,
        ["splits", "colour_baseline", "params:evaluation", "params:seed", "own_results"],
        "own_differences",
        name="compare_errors",
    )
    return Pipeline([collect, compare, *_write_about("own_results", "own_differences", "pages_of_comparison")])


def _write_about(results: str, differences: str, *pages: str) -> list[Node]:
    return [
        Node(nodes.write_reports, ["page_context", results, differences, *pages], "reports", name="write_reports"),
        Node(nodes.write_model_cards, ["page_context", results], "model_cards", name="write_model_cards"),
    ]

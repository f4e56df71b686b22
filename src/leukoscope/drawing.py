"""Simplified pipelines for Kedro-Viz, which show the flow of data without clutter."""

import sys
from collections.abc import Callable, Collection, Mapping
from functools import wraps
from inspect import signature
from typing import Any

from kedro.pipeline import Node, Pipeline

from leukoscope.core.stages import find_model, list_models

# A model's outputs for other pipelines and for people, of which Kedro-Viz has no preview.
_ASIDE = ("pictures", "runs")
_TAKEN = ("result", "features", "runs")
# Optional inputs unrelated to the flow: versions, a cache, and outputs of other commands.
_ELSEWHERE = {
    *("software", "measurements", "packed_images", "generated_images", "audit_table", "audit_verdict"),
    *("study_differences", "label_issues", "label_reviews"),
    *("pages_of_comparison", "pages_of_models", "pages_of_studies"),
}


def is_drawing() -> bool:
    """Return whether Kedro-Viz requests the pipelines, that is, whether its project loader is imported."""
    return "kedro_viz.integrations.kedro.data_loader" in sys.modules


def simplify(
    pipelines: Mapping[str, Pipeline], models: Collection[str], default: Collection[str]
) -> dict[str, Pipeline]:
    """Remove from each pipeline the inputs from dozens of other models, and outputs that nothing else uses.

    A comparison takes the existing results of every model: each model outside of the pipeline would add a box.
    In a pipeline without models, the results of the default models stand for all.

    Args:
        pipelines: The pipelines by name.
        models: All models.
        default: The models that `kedro run` trains.
    """
    return {name: _simplify(pipeline, models, default) for name, pipeline in pipelines.items()}


def _simplify(pipeline: Pipeline, models: Collection[str], default: Collection[str]) -> Pipeline:
    own = list_models(pipeline)
    shown = own or set(default)
    absent = {f"{model}_{taken}" for model in models if model not in shown for taken in _TAKEN}
    aside = {f"{model}_{kept}" for model in own for kept in _ASIDE} & pipeline.outputs() if len(own) > 1 else set()
    elsewhere = _ELSEWHERE & pipeline.inputs()
    return Pipeline([_hide(node, elsewhere | (aside if find_model(node) else absent)) for node in pipeline.nodes])


def _hide(node: Node, hidden: set[str]) -> Node:
    if hidden.isdisjoint([*node.inputs, *node.outputs]):
        return node
    inputs, outputs = ([name for name in names if name not in hidden] for names in (node.inputs, node.outputs))
    return node._copy(func=_take_anything(node.func), inputs=inputs, outputs=outputs)


def _take_anything(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function that is drawn but never called, so that some of its arguments can be omitted."""

    @wraps(function)
    def drawn(*inputs: Any) -> None:
        raise NotImplementedError(f"{function.__name__} is drawn without some of its inputs.")

    # Otherwise Kedro would check parameters against the types of the arguments whose positions they now occupy.
    drawn.__signature__ = signature(drawn, follow_wrapped=False)  # type: ignore[attr-defined]
    return drawn

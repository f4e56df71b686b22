"""What Kedro-Viz draws of a pipeline: what flows in it, without what would hide that."""

import sys
from collections.abc import Callable, Collection, Mapping
from functools import wraps
from inspect import signature
from typing import Any

from kedro.pipeline import Node, Pipeline

from leukoscope.core.stages import find_model, list_models

# What a model leaves behind for other pipelines and for people, and of which Kedro-Viz has no preview.
_ASIDE = ("pictures", "runs")
_TAKEN = ("result", "features", "runs")
# What is taken where it is there, but says nothing of the flow: versions, a cache, and what other commands have left.
_ELSEWHERE = {
    *("software", "measurements", "packed_images", "generated_images", "audit_table", "audit_verdict"),
    *("study_differences", "label_issues", "label_reviews"),
    *("pages_of_comparison", "pages_of_models", "pages_of_studies"),
}


def is_drawing() -> bool:
    """Tell whether Kedro-Viz is what asks for the pipelines: it has loaded what reads a project."""
    return "kedro_viz.integrations.kedro.data_loader" in sys.modules


def simplify(
    pipelines: Mapping[str, Pipeline], models: Collection[str], default: Collection[str]
) -> dict[str, Pipeline]:
    """Leave out of each pipeline what may be there of dozens of models and what it only puts aside.

    A comparison takes the results of every model, if there are any: those of models that the pipeline does not have
    would be as many boxes. Where it has none, those of the default models stand for all.

    Args:
        pipelines: By name.
        models: All models.
        default: Those that `kedro run` trains.
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
    """Wrap a function that is drawn and never called, so that some of its arguments can be left out."""

    @wraps(function)
    def drawn(*inputs: Any) -> None:
        raise NotImplementedError(f"{function.__name__} is drawn without some of its inputs.")

    # Kedro would check parameters against the types of the arguments at whose places they now stand.
    drawn.__signature__ = signature(drawn, follow_wrapped=False)  # type: ignore[attr-defined]
    return drawn

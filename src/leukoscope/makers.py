"""Which command makes a data set: what to tell people whose file is missing, damaged or of an earlier version."""

from functools import cache

from kedro.pipeline import Pipeline

from leukoscope.models.backbones import BACKBONES

# What gathers a data set of every backbone has no node of its own.
GATHERED = {
    "trained_models": "{backbone}.model",
    "calibrations": "{backbone}.calibration",
    "evaluated_predictions": "{backbone}.predictions",
    "evaluated_features": "{backbone}_features",
    "evaluations": "{backbone}.evaluations",
    "reader_registry": "registration",
}


def name_maker(dataset_name: str, env: str | None = None) -> str | None:
    """Name the smallest command that makes a data set from what comes before it.

    Of the registered pipelines that write the data set, it is the one of the fewest backbones, and then of the fewest
    nodes. For what gathers a data set of every backbone, the command makes that of the first backbone.

    Args:
        dataset_name: Its name in the catalog.
        env: The environment of the run.

    Returns:
        Like ``kedro run --pipelines splitting --env demo``; ``None`` where no pipeline writes the data set.
    """
    name = GATHERED.get(dataset_name, dataset_name).format(backbone=next(iter(BACKBONES)))
    pipelines = {key: pipeline for key, pipeline in _list_pipelines().items() if name in pipeline.all_outputs()}
    if not pipelines:
        return None
    smallest = min(pipelines, key=lambda key: (_count_backbones(pipelines[key]), len(pipelines[key].nodes)))
    return f"kedro run --pipelines {smallest}" + ("" if env in (None, "local") else f" --env {env}")


@cache
def _list_pipelines() -> dict[str, Pipeline]:
    from leukoscope.pipeline_registry import register_pipelines

    return register_pipelines()


def _count_backbones(pipeline: Pipeline) -> int:
    return len({node.namespace for node in pipeline.nodes if node.namespace})

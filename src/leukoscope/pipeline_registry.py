"""All pipelines, by the names that `kedro run --pipelines` takes."""

from functools import cache

from kedro.pipeline import Pipeline

from leukoscope.entries import list_entries
from leukoscope.pipelines.agreement import pipeline as agreement
from leukoscope.pipelines.architectures import pipeline as architectures
from leukoscope.pipelines.audit import pipeline as audit
from leukoscope.pipelines.augmentation import pipeline as augmentation
from leukoscope.pipelines.comparison import pipeline as comparison
from leukoscope.pipelines.cross_validation import pipeline as cross_validation
from leukoscope.pipelines.evaluation import pipeline as evaluation
from leukoscope.pipelines.explain import pipeline as explanation
from leukoscope.pipelines.export import pipeline as export
from leukoscope.pipelines.external import pipeline as external
from leukoscope.pipelines.ingestion import pipeline as ingestion
from leukoscope.pipelines.predict import pipeline as prediction
from leukoscope.pipelines.promote import pipeline as promotion
from leukoscope.pipelines.reader import pipeline as reader
from leukoscope.pipelines.reporting import pipeline as reporting
from leukoscope.pipelines.robustness import pipeline as robustness
from leukoscope.pipelines.splitting import pipeline as splitting
from leukoscope.pipelines.training import pipeline as training

_SHARED_DATASETS = {"manifest", "smears", "training_plan", "splits", "software", "page_context"}
# What other pipelines take of every model, and what is there for people.
_GATHERED = {"features", "result", "pictures", "reports", "model_cards", "runs"}
_SHARED_PARAMETERS = (
    "training",
    "augmentation",
    "splitting",
    "evaluation",
    "robustness",
    "class_names",
    "data_sheet",
    "seed",
)


def register_pipelines() -> dict[str, Pipeline]:
    """Give the pipelines: each stage alone, each model from raw images to its evaluation, and everything."""
    return dict(_make_pipelines(tuple(list_entries())))  # Kedro asks several times in a command


@cache
def _make_pipelines(entries: tuple[str, ...]) -> dict[str, Pipeline]:
    judging = evaluation.create_pipeline() + robustness.create_pipeline()
    stages = {
        "ingestion": ingestion.create_pipeline(),
        "splitting": splitting.create_pipeline(),
        "augmentation": augmentation.create_pipeline(),
        "training": sum((_for_model(training.create_pipeline(), name) for name in entries), Pipeline([])),
        "evaluation": sum((_for_model(judging, name) for name in entries), Pipeline([])),
        "comparison": comparison.create_pipeline(entries),
        "audit": audit.create_pipeline(entries),
        "reporting": reporting.create_pipeline(entries),
    }
    preparation = stages["ingestion"] + stages["splitting"] + stages["augmentation"]
    ways = {
        f"train_{name}": preparation
        + _for_model(training.create_pipeline() + judging + reporting.create_model_pipeline(), name)
        + comparison.create_baseline_pipeline()
        + reporting.create_data_pipeline()
        for name in entries
    }
    ways["audit"] = stages["ingestion"] + stages["audit"]
    ways["cross_validation"] = cross_validation.create_pipeline(entries)
    ways["external"] = external.create_pipeline(entries)
    ways["reader"] = reader.create_pipeline()
    ways["agreement"] = agreement.create_pipeline()
    ways["architectures"] = architectures.create_pipeline()
    works = {"predict": prediction, "explain": explanation, "promote": promotion, "export": export}
    ways |= {name: reader.create_pipeline() + work.create_pipeline() for name, work in works.items()}
    return {**stages, **ways, "__default__": sum(stages.values(), Pipeline([]))}


def _for_model(template: Pipeline, name: str) -> Pipeline:
    """Put a template into a model's namespace; its parameters `model` are the model's entry."""
    parameters = {f"params:{shared}": f"params:{shared}" for shared in _SHARED_PARAMETERS}
    parameters["params:model"] = f"params:models.{name}"
    used = template.inputs()
    return Pipeline(
        template,
        namespace=name,
        prefix_datasets_with_namespace=True,
        inputs=_SHARED_DATASETS & used,
        outputs={output: f"{name}_{output}" for output in _GATHERED & template.all_outputs()},
        parameters={ours: theirs for ours, theirs in parameters.items() if ours in used},
    )

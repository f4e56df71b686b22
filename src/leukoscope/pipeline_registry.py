"""All pipelines, by the names that `kedro run --pipelines` accepts."""

import warnings
from collections.abc import Sequence
from functools import cache

from kedro.pipeline import Pipeline

from leukoscope import drawing
from leukoscope.entries import Entry, describe_entries
from leukoscope.pipelines.agreement import pipeline as agreement
from leukoscope.pipelines.architectures import pipeline as architectures
from leukoscope.pipelines.audit import pipeline as audit
from leukoscope.pipelines.augmentation import pipeline as augmentation
from leukoscope.pipelines.cells import pipeline as cells
from leukoscope.pipelines.comparison import pipeline as comparison
from leukoscope.pipelines.cross_validation import pipeline as cross_validation
from leukoscope.pipelines.evaluation import pipeline as evaluation
from leukoscope.pipelines.explain import pipeline as explanation
from leukoscope.pipelines.export import pipeline as export
from leukoscope.pipelines.external import pipeline as external
from leukoscope.pipelines.generation import pipeline as generation
from leukoscope.pipelines.import_weights import pipeline as import_weights
from leukoscope.pipelines.ingestion import pipeline as ingestion
from leukoscope.pipelines.label_issues import pipeline as label_issues
from leukoscope.pipelines.mirror import pipeline as mirror
from leukoscope.pipelines.monitoring import pipeline as monitoring
from leukoscope.pipelines.predict import pipeline as prediction
from leukoscope.pipelines.promote import pipeline as promotion
from leukoscope.pipelines.reader import pipeline as reader
from leukoscope.pipelines.reporting import pipeline as reporting
from leukoscope.pipelines.robustness import pipeline as robustness
from leukoscope.pipelines.search import pipeline as search
from leukoscope.pipelines.splitting import pipeline as splitting
from leukoscope.pipelines.study import pipeline as study
from leukoscope.pipelines.training import pipeline as training

_SHARED_DATASETS = {
    "manifest",
    "smears",
    "generated_images",
    "training_plan",
    "splits",
    "software",
    "page_context",
    "pages_of_comparison",
    "measurements",
    "cells",
    "cell_size",
    "known_cells",
    "colour_baseline",
}
# Outputs of every model that other pipelines use, and outputs for people.
_GATHERED = {"features", "result", "pictures", "reports", "model_cards", "runs"}
_SHARED_PARAMETERS = (
    "training",
    "cells",
    "augmentation",
    "splitting",
    "evaluation",
    "robustness",
    "class_names",
    "data_sheet",
    "seed",
)


def register_pipelines() -> dict[str, Pipeline]:
    """Return the pipelines: each stage alone, each model from raw images to its evaluation, and everything."""
    entries = describe_entries()
    made = _make_pipelines(tuple(entries.items()))  # cached, since Kedro asks several times per command
    if drawing.is_drawing():
        return drawing.simplify(made, entries, [name for name, entry in entries.items() if entry.default])
    return dict(made)


@cache
def _make_pipelines(entries: tuple[tuple[str, Entry], ...]) -> dict[str, Pipeline]:
    names = tuple(name for name, _ in entries)
    trained = {name: _create_training(name, entry) for name, entry in entries}
    judged = {name: _create_evaluation(name, entry) for name, entry in entries}
    by_default = [name for name, entry in entries if entry.default]
    stages = {
        "ingestion": ingestion.create_pipeline(),
        "splitting": splitting.create_pipeline(),
        "augmentation": augmentation.create_pipeline(),
        "training": _join(*(trained[name] for name in by_default)),
        "evaluation": _join(*(judged[name] for name in by_default)),
        "comparison": comparison.create_pipeline(names),
        "audit": audit.create_pipeline(names),
        "reporting": reporting.create_pipeline(names),
    }
    ways = {f"train_{name}": _create_way(name, entry) for name, entry in entries}
    ways["cells"] = stages["ingestion"] + cells.create_pipeline()
    ways["mirror"] = _join(ways["cells"], mirror.create_pipeline(names))
    ways["audit"] = stages["ingestion"] + stages["audit"]
    ways["cross_validation"] = cross_validation.create_pipeline(names)
    ways["study"] = _join(stages["ingestion"], study.create_pipeline())
    ways["label_issues"] = ways["cross_validation"] + label_issues.create_pipeline()
    ways["search"] = _join(stages["ingestion"], search.create_pipeline())
    ways["validation"] = _join(*(_for_model(search.create_validation_pipeline(), name) for name in names))
    ways["generate"] = _join(stages["ingestion"], stages["splitting"], generation.create_pipeline())
    ways["external"] = external.create_pipeline(names)
    ways["reader"] = reader.create_pipeline() + reader.create_engine_pipeline()
    ways["agreement"] = agreement.create_pipeline()
    ways["monitoring"] = monitoring.create_pipeline()
    ways["architectures"] = architectures.create_pipeline()
    ways["import_weights"] = import_weights.create_pipeline()
    ways["predict"] = ways["reader"] + prediction.create_pipeline()
    works = {"explain": explanation, "promote": promotion, "export": export}
    ways |= {name: reader.create_pipeline() + work.create_pipeline() for name, work in works.items()}
    everything = _join(*stages.values())
    ways["systems"] = _join(everything, *trained.values(), *judged.values())
    return {**stages, **ways, "__default__": everything}


def _join(*parts: Pipeline) -> Pipeline:
    """Join pipelines at once: with dozens of models, each ``+`` would sort and check all nodes again."""
    return Pipeline({node for part in parts for node in part.nodes})


# Cached by model and by kind: a session with one new or changed entry creates only its pipelines.
@cache
def _create_training(name: str, entry: Entry) -> Pipeline:
    template = training.create_pipeline(entry.kind, entry.members, entry.teacher, entry.found)
    of_model = _for_model(template, name, _list_sources(entry))
    return of_model + cells.create_finding_pipeline() if "cells" in of_model.inputs() else of_model


def _list_sources(entry: Entry) -> tuple[str, ...]:
    """List the models whose outputs an entry's training uses."""
    return entry.members if entry.teacher is None else (entry.teacher,)


@cache
def _create_evaluation(name: str, entry: Entry) -> Pipeline:
    return _for_model(_create_judging(entry.kind, entry.members), name, entry.members)


@cache
def _create_way(name: str, entry: Entry) -> Pipeline:
    """Create everything needed to train and evaluate one model, from raw images on."""
    reports = _for_model(reporting.create_model_pipeline(), name)
    return _join(_create_start(), _create_training(name, entry), _create_evaluation(name, entry), reports)


@cache
def _create_start() -> Pipeline:
    stages = ingestion.create_pipeline(), splitting.create_pipeline(), augmentation.create_pipeline()
    return _join(*stages, comparison.create_baseline_pipeline(), reporting.create_data_pipeline())


@cache
def _create_judging(kind: str, members: tuple[str, ...]) -> Pipeline:
    return evaluation.create_pipeline(kind, members) + robustness.create_pipeline()


def _for_model(template: Pipeline, name: str, members: Sequence[str] = ()) -> Pipeline:
    """Instantiate a template in a model's namespace; its parameter `model` is the model's entry.

    Args:
        template: The template for the model's kind.
        name: The model's name.
        members: The names of the models whose outputs it uses.
    """
    parameters = {f"params:{shared}": f"params:{shared}" for shared in _SHARED_PARAMETERS}
    parameters["params:model"] = f"params:models.{name}"
    used = template.inputs()
    with warnings.catch_warnings():
        # An ensemble uses data sets in its members' namespaces, which Kedro advises against.
        warnings.filterwarnings("ignore", "One or more dataset names contain", UserWarning)
        return Pipeline(
            template,
            namespace=name,
            prefix_datasets_with_namespace=True,
            inputs={shared: shared for shared in _SHARED_DATASETS & used}
            | {ours: theirs for ours, theirs in training.list_taken(members).items() if ours in used}
            | {gathered: f"{name}_{gathered}" for gathered in _GATHERED & used},
            outputs={output: f"{name}_{output}" for output in _GATHERED & template.all_outputs()},
            parameters={ours: theirs for ours, theirs in parameters.items() if ours in used},
        )

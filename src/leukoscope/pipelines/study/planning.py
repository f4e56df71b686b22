"""Plan the trainings of a study, and check that they can be run."""

from typing import Any

import pandas as pd

from leukoscope.core.fingerprint import fingerprint_table
from leukoscope.images.generated import GeneratedImages
from leukoscope.images.packed import PackedImages
from leukoscope.pipelines.augmentation.options import AugmentationOptions
from leukoscope.pipelines.cells.options import CellOptions
from leukoscope.pipelines.evaluation.options import EvaluationOptions
from leukoscope.pipelines.search.options import SCORES_FORMAT, SearchOptions
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.pipelines.study.options import StudyOptions
from leukoscope.study.plan import Plan, make_plan
from leukoscope.training.entry import ModelOptions
from leukoscope.training.recipe import Recipe

# The search parameters that affect the choice of a search.
_OF_SEARCH = {"space", "objective", "pruner", "trials"}


def describe_entries(
    study: StudyOptions,
    models: dict[str, Any],
    training: Recipe,
    augmentation: AugmentationOptions,
    cells: CellOptions,
    evaluation: EvaluationOptions,
    search: SearchOptions,
) -> dict[str, dict[str, Any]]:
    """Describe how each entry is trained and evaluated.

    Args:
        study: Names the entries.
        models: All entries.
        training: The shared recipe.
        augmentation: The shared augmentation.
        cells: How cells are found, for models that read cells.
        evaluation: How units are evaluated.
        search: How hyperparameters are searched within the folds of entries that ask for it.

    Raises:
        InputError: A recipe does not fit its model, or a file that training starts from cannot be read.
    """
    facts = {}
    for name in study.entries:
        model = ModelOptions.model_validate(models[name])
        model.require_files(training)
        described = describe_entry(model, training, augmentation)
        found = model.kind == "cells" or described.get("cells") == "found"
        of_cells = {"finding": cells.model_dump()} if found else {}
        formats = {"formats": list_formats(model.kind, found)}
        facts[name] = described | of_cells | formats | {"evaluation": evaluation.model_dump()}
        if name in study.searched:
            facts[name] |= {"search": search.model_dump(include=_OF_SEARCH), "scores": SCORES_FORMAT}
    return facts


def describe_material(
    manifest: pd.DataFrame,
    group_table: pd.DataFrame | None,
    smears: PackedImages,
    generated_images: GeneratedImages | None,
) -> dict[str, Any]:
    """Describe the images that the trainings use.

    Args:
        manifest: All images.
        group_table: The user's table of groups, if there is one.
        smears: The packed images, for their size.
        generated_images: Generated images that may replace real ones, if there are any.
    """
    from leukoscope.images.manifest import fingerprint_manifest

    return {
        "data": fingerprint_manifest(manifest),
        "duplicates": fingerprint_table(manifest[["image_id", "group"]]),
        "size": smears.pixels.shape[1],
        "groups": None if group_table is None else fingerprint_table(group_table),
        "generated": getattr(generated_images, "fingerprint", None),
    }


def plan_study(
    study: StudyOptions,
    study_entries: dict[str, dict[str, Any]],
    study_images: dict[str, Any],
    splitting: SplittingOptions,
    class_names: list[str],
    seed: int,
) -> Plan:
    """Plan every unit.

    Args:
        study: The numbers of folds and seeds.
        study_entries: How each entry is trained and evaluated.
        study_images: The facts that identify the images.
        splitting: What is held together.
        class_names: The classes in order.
        seed: The first seed.
    """
    shared = study_images | {"splitting": splitting.model_dump(exclude={"fold"}), "class_names": class_names}
    facts = {name: shared | entry for name, entry in study_entries.items()}
    return make_plan(facts, study.folds, study.seeds, seed)


def require_folds(
    study_plan: Plan,
    manifest: pd.DataFrame,
    group_table: pd.DataFrame | None,
    smears: PackedImages,
    splitting: SplittingOptions,
) -> Plan:
    """Check that the images can be divided into the planned number of folds with every seed.

    Args:
        study_plan: The plan of the study.
        manifest: All images.
        group_table: The user's table of groups, if there is one.
        smears: The packed images, for clusters of appearance.
        splitting: What is held together.

    Returns:
        The unchanged plan.

    Raises:
        InputError: The images cannot be divided so.
    """
    from leukoscope.pipelines.splitting.nodes import assign_splits, group_images

    for seed in study_plan.seeds:
        images = group_images(manifest, group_table, smears, splitting, seed)
        for fold in range(1, study_plan.folds + 1):  # by series, a middle fold may have fewer images than the first
            assign_splits(images, splitting.model_copy(update={"fold": f"{fold} of {study_plan.folds}"}), seed)
    return study_plan


def describe_entry(model: ModelOptions, training: Recipe, augmentation: AugmentationOptions) -> dict[str, Any]:
    """Describe how an entry is trained: its kind, recipe, weights file and augmentation.

    Args:
        model: The entry.
        training: The shared recipe.
        augmentation: The shared augmentation.
    """
    from pathlib import Path

    from leukoscope.core.fingerprint import fingerprint_files

    described = model.describe_recipe(training)
    weights = Path(str(described["recipe"].get("weights")))
    file = fingerprint_files([weights]) if weights.is_file() else None
    return described | {"weights": file, "augmentation": model.join_augmentation(augmentation).model_dump()}


def list_formats(kind: str, found: bool) -> dict[str, int]:
    """List the format numbers in the keys of trainings, which distinguish results of older versions.

    Args:
        kind: The model's kind.
        found: Whether the model reads the cells found by the pipeline `cells`.
    """
    from leukoscope.cells import classical
    from leukoscope.cells.measuring import FORMAT as FORMAT_OF_FOUND
    from leukoscope.features.fields import FORMAT
    from leukoscope.images.packed import PACKED_FORMAT
    from leukoscope.training.crafted import CRAFTED_FORMAT

    formats = {"packed": PACKED_FORMAT} | ({"finding": classical.FORMAT} if found else {})
    if kind == "crafted":
        formats |= {"crafted": CRAFTED_FORMAT, "measurements": FORMAT_OF_FOUND if found else FORMAT}
    return formats

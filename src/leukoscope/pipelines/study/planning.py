"""Plan the trainings of a study, and make sure that they can be made."""

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

# What of a search decides what it chooses.
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
    """Say of each entry how it is trained and evaluated.

    Args:
        study: Which entries.
        models: All of them.
        training: The shared recipe.
        augmentation: The shared augmentation.
        cells: How cells are found, for models that read these.
        evaluation: How units are evaluated.
        search: How hyper-parameters are searched within the folds of entries that say so.

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
    """Say of which images the trainings are.

    Args:
        manifest: All images.
        group_table: The user's table of groups, if there is one.
        smears: The packed images, for their size.
        generated_images: That may stand in for real ones.
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
        study: Folds and seeds.
        study_entries: How each entry is trained and evaluated.
        study_images: Of which images.
        splitting: What is held together.
        class_names: The classes in order.
        seed: The first one.
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
    """Make sure that the images can be divided into so many folds, with every seed.

    Args:
        study_plan: Of the study.
        manifest: All images.
        group_table: The user's table of groups, if there is one.
        smears: The packed images, for clusters of appearance.
        splitting: What is held together.

    Returns:
        The plan, as it is.

    Raises:
        InputError: They cannot be.
    """
    from leukoscope.pipelines.splitting.nodes import assign_splits, group_images

    for seed in study_plan.seeds:
        images = group_images(manifest, group_table, smears, splitting, seed)
        for fold in range(1, study_plan.folds + 1):  # by series one in the middle may have fewer images than the first
            assign_splits(images, splitting.model_copy(update={"fold": f"{fold} of {study_plan.folds}"}), seed)
    return study_plan


def describe_entry(model: ModelOptions, training: Recipe, augmentation: AugmentationOptions) -> dict[str, Any]:
    """Say how an entry is trained: what it is, its recipe, its weights file and its augmentation.

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
    """List the formats by which the keys of trainings tell what an older version made.

    Args:
        kind: Of the model.
        found: Whether it reads the cells that the pipeline `cells` finds.
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

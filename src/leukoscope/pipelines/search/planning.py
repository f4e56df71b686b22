"""Plan a search, and check that its trials can be trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from leukoscope.core.errors import InputError
from leukoscope.core.fingerprint import fingerprint_facts
from leukoscope.core.options import describe_faults
from leukoscope.pipelines.augmentation.options import AugmentationOptions
from leukoscope.pipelines.cells.options import CellOptions
from leukoscope.pipelines.search.options import SCORES_FORMAT, SearchOptions
from leukoscope.pipelines.splitting.options import SplittingOptions
from leukoscope.pipelines.study.planning import describe_entry, list_formats
from leukoscope.study.objectives import require_series
from leukoscope.study.search import SearchPlan, require_optuna
from leukoscope.study.space import list_corners, nest
from leukoscope.training.entry import ModelOptions
from leukoscope.training.journal import TRAINING_FORMAT
from leukoscope.training.network_options import TrainedNetworkOptions
from leukoscope.training.recipe import Recipe


@dataclass(frozen=True)
class Setting:
    """What all trials of a search have in common.

    Attributes:
        model: The entry.
        training: The shared recipe.
        augmentation: The shared augmentation.
        cells: How cells are found; ``None`` for models that do not read cells.
    """

    model: TrainedNetworkOptions
    training: Recipe
    augmentation: AugmentationOptions
    cells: CellOptions | None

    def vary(self, values: Mapping[str, Any]) -> TrainedNetworkOptions:
        """Return the entry with other parameters."""
        entry = self.model.model_dump(exclude_unset=True)
        entry |= {part: entry.get(part, {}) | differences for part, differences in nest(values).items()}
        return type(self.model).model_validate(entry)

    def describe(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Describe how the entry is trained with other parameters.

        Raises:
            InputError: The entry's recipe refuses them.
        """
        described = describe_entry(self.vary(values), self.training, self.augmentation)
        return described | ({"cells": self.cells.model_dump()} if self.cells else {})


def require_search(
    search: SearchOptions,
    models: Mapping[str, Any],
    training: Recipe,
    augmentation: AugmentationOptions,
    splitting: SplittingOptions,
    place: str = "search.entry",
) -> None:
    """Check that an entry can be trained with all values of the search space.

    Args:
        search: The search parameters.
        models: All entries.
        training: The shared recipe.
        augmentation: The shared augmentation.
        splitting: Says whether series are known.
        place: The parameter that names the entry.

    Raises:
        InputError: No entry is named, its training cannot be searched, its recipe refuses a value, the objective is
            the worst series but no series are known, or Optuna is not installed.
    """
    require_series(search.objective, splitting.group_by)
    model = _require_entry(search.entry, models, place)
    setting = Setting(model, training, augmentation, None)
    for values in list_corners(search.space):
        try:
            varied = setting.vary(values)
            varied.require_files(training)
            varied.join_augmentation(augmentation)
        except (ValidationError, InputError) as error:
            words = describe_faults(error) if isinstance(error, ValidationError) else error.message
            named = ", ".join(f"{name}={value}" for name, value in values.items())
            raise InputError(
                f"search.space has {named}, which the recipe of {model.name} refuses: {words.rstrip('.')}. Change the "
                f"space. Nothing was run."
            ) from None
    require_optuna()


def require_nested(
    names: Sequence[str],
    entries: Sequence[str],
    search: SearchOptions,
    models: Mapping[str, Any],
    training: Recipe,
    augmentation: AugmentationOptions,
    splitting: SplittingOptions,
) -> None:
    """Check that hyperparameters of entries can be searched within the folds of a study.

    Args:
        names: The entries whose hyperparameters are searched.
        entries: All entries of the study.
        search: The search parameters.
        models: All entries of the configuration.
        training: The shared recipe.
        augmentation: The shared augmentation.
        splitting: Says whether series are known.

    Raises:
        InputError: An entry is not in the study or cannot be searched, or a search would not choose a single training.
    """
    others = [name for name in names if name not in entries]
    if others:
        raise InputError(
            f"study.search has {', '.join(others)}, which study.entries has not. Name some of {', '.join(entries)}, or "
            f"give true for all. Nothing was run."
        )
    if names and (len(search.objective) > 1 or search.storage):
        what = f"search.objective is {'|'.join(search.objective)}" if not search.storage else "search.storage is given"
        why = "several figures have no best" if not search.storage else "trials are kept beside the study"
        raise InputError(
            f"{what}, and study.search is one search in each fold, in which {why}. Change it. Nothing was run."
        )
    for name in names:
        given = search.model_copy(update={"entry": name})
        require_search(given, models, training, augmentation, splitting, "study.search")


def _require_entry(name: str | None, models: Mapping[str, Any], place: str = "search.entry") -> TrainedNetworkOptions:
    if name is None:
        raise InputError(
            'search.entry names no model. Give one, as in --params "search.entry=resnet50,search.trials=30". Nothing '
            "was run."
        )
    model = ModelOptions.model_validate(models[name])
    if not isinstance(model, TrainedNetworkOptions):
        raise InputError(
            f"{place} is {name}, of the kind {model.kind}, which has no recipe to search. Name a network. Nothing was "
            f"run."
        )
    if model.teacher is not None:
        raise InputError(
            f"{place} is {name}, which learns from {model.teacher}: a search trains one model by itself. Name one "
            f"without a teacher. Nothing was run."
        )
    return model


def describe_search(
    search: SearchOptions,
    models: dict[str, Any],
    training: Recipe,
    augmentation: AugmentationOptions,
    cells: CellOptions,
) -> Setting:
    """Collect what all trials have in common.

    Args:
        search: Names the entry.
        models: All entries.
        training: The shared recipe.
        augmentation: The shared augmentation.
        cells: How cells are found, for models that read cells.

    Raises:
        InputError: The entry cannot be searched, or a file that training starts from cannot be read.
    """
    model = _require_entry(search.entry, models)
    model.require_files(training)
    return Setting(model, training, augmentation, cells if model.kind == "cells" else None)


def plan_search(
    search: SearchOptions,
    search_setting: Setting,
    splitting: SplittingOptions,
    class_names: list[str],
    seed: int,
    search_images: dict[str, Any],
) -> SearchPlan:
    """Plan the search.

    Args:
        search: The space, the objectives, and the number of trials.
        search_setting: What all trials have in common.
        splitting: How the validation images are chosen.
        class_names: The classes in order.
        seed: Random seed of the search and the trainings.
        search_images: The facts that identify the images.
    """
    shared = search_images | {
        "splitting": splitting.model_dump(),
        "class_names": class_names,
        "seed": seed,
        "formats": [TRAINING_FORMAT, SCORES_FORMAT],
        "formats_of_images": list_formats(search_setting.model.kind, search_setting.cells is not None),
    }
    sought = search.model_dump(include={"space", "objective", "pruner"})
    digest = fingerprint_facts([shared, sought, search_setting.describe({})])
    return SearchPlan(
        entry=search_setting.model.name,
        split=splitting.split_name,
        name=f"{search_setting.model.name}-{digest}",
        space=search.space,
        objectives=search.objective,
        trials=search.trials,
        pruner=search.pruner,
        epochs=max(search_setting.vary(values).resolve(search_setting.training).epochs for values in _ends(search)),
        seed=seed,
        identify=lambda values: fingerprint_facts([shared, search_setting.describe(values)]),
    )


def _ends(search: SearchOptions) -> list[dict[str, Any]]:
    """List the lowest and highest number of epochs in the space, as parameters; empty parameters if not searched."""
    name = "training.epochs"
    return [{name: value} for value in search.space[name].corners] if name in search.space else [{}]

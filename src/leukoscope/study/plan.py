"""The trainings of a study: every entry with every seed on every fold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leukoscope.core.counts import count_of
from leukoscope.core.errors import InputError
from leukoscope.core.fingerprint import fingerprint_facts
from leukoscope.training.entry import ModelOptions
from leukoscope.training.journal import TRAINING_FORMAT
from leukoscope.training.runs import name_split

_SEEDS = 2**32


@dataclass(frozen=True)
class Unit:
    """One training with its evaluation.

    Attributes:
        entry: The model's name.
        fold: Number of the held-out fold, from 1.
        folds: Number of folds.
        seed: Seed of everything random, including the division into folds.
        identity: A hash of everything that determines its result.
    """

    entry: str
    fold: int
    folds: int
    seed: int
    identity: str

    @property
    def split(self) -> str:
        """The name of the split among the folders of the model."""
        return name_split((self.fold, self.folds))

    @property
    def name(self) -> str:
        """The name of its files, which differs for another recipe."""
        return f"{self.entry}-{self.split}-seed-{self.seed}-{self.identity[:8]}"

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters in which it differs from the study, as for ``--params``."""
        return {"seed": self.seed, "splitting": {"fold": f"{self.fold} of {self.folds}"}}

    def __str__(self) -> str:
        """Return its name for messages."""
        return f"{self.entry}, fold {self.fold} of {self.folds}, seed {self.seed}"


@dataclass(frozen=True)
class Plan:
    """All units of a study, in the order in which they run.

    Attributes:
        entries: The models' names.
        folds: Number of folds.
        seeds: The seeds; the first is the project's own.
        units: Sorted by seed, then by entry, so that an interrupted study has complete seeds.
    """

    entries: tuple[str, ...]
    folds: int
    seeds: tuple[int, ...]
    units: tuple[Unit, ...]

    def __str__(self) -> str:
        """Describe the number of units."""
        sizes = ((len(self.entries), "model"), (self.folds, "fold"), (len(self.seeds), "seed"))
        words = " x ".join(count_of(count, name) for count, name in sizes)
        return f"{count_of(len(self.units), 'unit')} ({words})"


def make_plan(facts: Mapping[str, Mapping[str, Any]], folds: int, seeds: int, first_seed: int) -> Plan:
    """Plan a study.

    Args:
        facts: For each entry, everything that determines its trainings and their evaluation, except fold and seed.
        folds: Number of folds.
        seeds: Number of seeds. A larger number begins with the same seeds, so that a study can be extended.
        first_seed: The first seed; the others follow it consecutively.
    """
    chosen = tuple((first_seed + number) % _SEEDS for number in range(seeds))
    units = [
        Unit(entry, fold, folds, seed, fingerprint_facts([facts[entry], fold, folds, seed, TRAINING_FORMAT]))
        for seed in chosen
        for entry in facts
        for fold in range(1, folds + 1)
    ]
    return Plan(tuple(facts), folds, chosen, tuple(units))


def require_entries(entries: Sequence[str], models: Mapping[str, ModelOptions], fold: str | None) -> None:
    """Check that a study can be made of the named entries.

    Args:
        entries: Names of known entries.
        models: All entries of the configuration.
        fold: The parameter ``splitting.fold``.

    Raises:
        InputError: There are no entries, one is named twice or combines others, or a fold was given as well.
    """
    if not entries:
        raise InputError(
            'study.entries names no model. Give some, as in --params "study.entries=resnet50|vgg16". Nothing was run.'
        )
    twice = sorted({name for name in entries if list(entries).count(name) > 1})
    if twice:
        raise InputError(f"study.entries has {', '.join(twice)} more than once. Name each once. Nothing was run.")
    if fold is not None:
        raise InputError(
            f"splitting.fold is '{fold}', and a study trains on every fold itself. Leave it out, and give study.folds. "
            f"Nothing was run."
        )
    for name in entries:
        others = [*models[name].parts, *([models[name].teacher] if models[name].teacher else [])]
        if others:
            raise InputError(
                f"study.entries has {name}, which is made of or taught by {', '.join(map(str, others))}: a study "
                f"trains each unit by itself, and these would have to be trained on the same fold first. Name models "
                f"that need no other. Nothing was run."
            )

"""Which trainings a study has: every entry with every seed on every fold."""

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
        fold: Which fold tests, from 1.
        folds: Of how many.
        seed: For everything random, the division into folds too.
        identity: A hash of all that determines what comes of it.
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
        """Name its files: those of a unit that has another recipe are others."""
        return f"{self.entry}-{self.split}-seed-{self.seed}-{self.identity[:8]}"

    @property
    def parameters(self) -> dict[str, Any]:
        """What it has other than the study, as ``--params`` sets it."""
        return {"seed": self.seed, "splitting": {"fold": f"{self.fold} of {self.folds}"}}

    def __str__(self) -> str:
        """Name it in messages."""
        return f"{self.entry}, fold {self.fold} of {self.folds}, seed {self.seed}"


@dataclass(frozen=True)
class Plan:
    """All units of a study, in the order in which they run.

    Attributes:
        entries: The models' names.
        folds: How many there are.
        seeds: The first is the project's own.
        units: With the first seed first, and within a seed entry by entry: a study that is cut off has whole seeds.
    """

    entries: tuple[str, ...]
    folds: int
    seeds: tuple[int, ...]
    units: tuple[Unit, ...]

    def __str__(self) -> str:
        """Say how many units there are."""
        sizes = ((len(self.entries), "model"), (self.folds, "fold"), (len(self.seeds), "seed"))
        words = " x ".join(count_of(count, name) for count, name in sizes)
        return f"{count_of(len(self.units), 'unit')} ({words})"


def make_plan(facts: Mapping[str, Mapping[str, Any]], folds: int, seeds: int, first_seed: int) -> Plan:
    """Plan a study.

    Args:
        facts: Of each entry all that determines its trainings and their evaluation, but for fold and seed.
        folds: How many.
        seeds: How many. More seeds have the same ones first, so that a study can be made larger.
        first_seed: The others follow it, one by one.
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
    """Make sure that a study can be made of entries.

    Args:
        entries: Their names, which are known ones.
        models: All entries of the configuration.
        fold: The parameter ``splitting.fold``.

    Raises:
        InputError: There is none, one is named twice or is made of others, or a fold was given beside.
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

"""The combined results of a study's units: pooled metrics of each model, and their spread over folds and seeds."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from leukoscope.core.differences import find_differences
from leukoscope.core.errors import InputError
from leukoscope.evaluation.confirmation import SEARCHED, fingerprint_recipe
from leukoscope.evaluation.crossed import compare_two, estimate_over_seeds
from leukoscope.evaluation.folds import FIGURES, FoldSet, describe_same
from leukoscope.evaluation.metric import Number
from leukoscope.evaluation.metrics import METRICS
from leukoscope.evaluation.outcome import Draw, Outcome
from leukoscope.evaluation.predictions import probability_columns
from leukoscope.evaluation.records import RIGHT_BY_COLOUR, EvaluationRecord
from leukoscope.evaluation.scoring import ENDS, Scoring
from leukoscope.study.ledger import Ledger
from leukoscope.study.pairs import align, tell_hits
from leukoscope.study.running import FAILED, FINISHED
from leukoscope.study.unit import Outcome as UnitOutcome

# For a standard error, unlike the ends of an interval, more draws change little.
_DRAWS = 400
# Parts of a training's key that a search within a fold decides, so that they differ between folds.
_CHOSEN = ("recipe", "augmentation")


def tabulate_units(outcomes: Sequence[UnitOutcome], ledger: Ledger) -> pd.DataFrame:
    """Tabulate the outcome of each unit.

    Args:
        outcomes: The outcomes of all units.
        ledger: Finds their evaluations.

    Returns:
        ``model, fold, folds, seed, state, reason, images, groups``, a column for each of ``FIGURES``, ``seconds``,
        ``epochs``, ``run``, the training's folder, and ``chosen``, the hyper-parameters chosen by a search within the
        unit, as JSON; empty without a search.
    """
    rows = []
    for outcome in outcomes:
        unit = outcome.unit
        row: dict[str, Any] = {"model": unit.entry, "fold": unit.fold, "folds": unit.folds, "seed": unit.seed}
        row |= {"state": FINISHED if outcome.mark else FAILED, "reason": outcome.reason}
        row |= dict.fromkeys(("images", "groups", *FIGURES), np.nan)
        epochs: float = np.nan
        if outcome.mark:
            record = ledger.load_record(unit, outcome.mark.place)
            row |= {"images": len(record.predictions), "groups": record.predictions["group"].nunique()}
            row |= {figure: record.metrics[f"test_{figure}"] for figure in FIGURES}
            epochs = len(ledger.load_history(unit, outcome.mark.place))
        place = outcome.mark.place if outcome.mark else ""
        chosen = json.dumps(dict(outcome.mark.chosen)) if outcome.mark and outcome.mark.chosen is not None else ""
        rows.append(row | {"seconds": outcome.seconds, "epochs": epochs, "run": place, "chosen": chosen})
    return pd.DataFrame(rows)


def pool_units(outcomes: Sequence[UnitOutcome], ledger: Ledger) -> dict[str, pd.DataFrame]:
    """Pool each model's predictions of all test images into one table, over the seeds of which all folds finished.

    Args:
        outcomes: The outcomes of all units.
        ledger: Finds their evaluations.

    Returns:
        For each model with a complete seed: ``image_id, label, group, fold, predicted``, one probability column per
        class, ``right_by_colour`` if all folds and seeds have it, ``seed``, ``run``, the training's folder, and
        ``recipe``, the fingerprint of how it was trained.
        An image has the same group for all seeds.

    Raises:
        InputError: Folds of a seed differ in more than their number.
    """
    pooled = {}
    for entry in dict.fromkeys(outcome.unit.entry for outcome in outcomes):
        own = [outcome for outcome in outcomes if outcome.unit.entry == entry]
        tables = [_pool_seed(own, seed, ledger) for seed in dict.fromkeys(outcome.unit.seed for outcome in own)]
        whole = [table for table in tables if table is not None]
        if whole:
            together = pd.concat(whole, ignore_index=True)
            known = all(RIGHT_BY_COLOUR in table for table in whole)
            pooled[entry] = _share_groups(
                together if known else together.drop(columns=RIGHT_BY_COLOUR, errors="ignore")
            )
    return pooled


def _pool_seed(outcomes: Sequence[UnitOutcome], seed: int, ledger: Ledger) -> pd.DataFrame | None:
    own = [outcome for outcome in outcomes if outcome.unit.seed == seed]
    if not all(outcome.mark for outcome in own):
        return None
    records = {
        outcome.unit.fold: ledger.load_record(outcome.unit, outcome.mark.place) for outcome in own if outcome.mark
    }
    is_searched = any(outcome.mark and outcome.mark.chosen is not None for outcome in own)
    _require_alike(own[0].unit.entry, seed, records, _CHOSEN if is_searched else ())
    pooled = FoldSet(own[0].unit.entry, own[0].unit.folds, records).pool()
    places = pooled["fold"].map({fold: record.place for fold, record in records.items()})
    # Without a search, all folds have the same recipe.
    recipe = SEARCHED if is_searched else fingerprint_recipe(next(iter(records.values())).facts["key"])
    return pooled.assign(seed=seed, run=places, recipe=recipe)


def _require_alike(entry: str, seed: int, records: Mapping[int, EvaluationRecord], chosen: Sequence[str] = ()) -> None:
    """Check that folds differ only in their number and in the choices of a search within each.

    Raises:
        InputError: Folds differ in something else.
    """

    def describe(record: EvaluationRecord) -> dict[str, Any]:
        same = describe_same(record)
        return same | {"training": {name: fact for name, fact in same["training"].items() if name not in chosen}}

    first = min(records)
    expected = describe(records[first])
    for number, record in records.items():
        differences = find_differences(expected, describe(record))
        if differences:
            raise InputError(
                f"The folds of {entry} with seed {seed} were not made alike: fold {number} differs from fold {first} "
                f"in {', '.join(differences)}. Remove the folders {records[first].place} and {record.place} of the "
                f"model; the same command trains them again."
            )


def _share_groups(table: pd.DataFrame) -> pd.DataFrame:
    """Assign each image its group with the first seed, so that images and seeds are crossed.

    If groups depend on the seed, as clusters and file-number runs do, the first seed's groups are used for all seeds.
    """
    first = table.drop_duplicates("image_id").set_index("image_id")["group"]
    return table.assign(group=table["image_id"].map(first))


def judge(
    pooled: Mapping[str, pd.DataFrame],
    units: pd.DataFrame,
    scoring: Scoring,
    resamples: int,
    confidence: float,
    seed: int,
) -> pd.DataFrame:
    """Score each model over its complete seeds, with intervals that account for both images and seeds.

    Args:
        pooled: Predictions as returned by ``pool_units``.
        units: Units as returned by ``tabulate_units``.
        scoring: The classes.
        resamples: Number of draws of groups; a few hundred suffice here.
        confidence: Confidence level of the intervals.
        seed: Seed of the draws.

    Returns:
        One row per model: ``model, units, failed, folds, seeds`` (complete ones)``, images, groups``; each of
        ``FIGURES`` as the mean over seeds with ``_low`` and ``_high``, ``_fold_sd``, the standard deviation between
        folds of one seed, and ``_seed_sd``, the one between seeds; ``colour_accuracy`` and ``gain_over_colour`` with
        its ends, NaN if some fold was not compared with stain colour; ``seconds`` of all units, ``seconds_per_unit``.
    """
    rows = []
    for entry, own in units.groupby("model", sort=False):
        row: dict[str, Any] = {"model": entry, "units": len(own), "failed": int((own["state"] == FAILED).sum())}
        row |= {"folds": int(own["folds"].iloc[0]), "seeds": 0, "images": 0, "groups": 0}
        row |= {f"{name}{end}": np.nan for name in FIGURES for end in ("", *ENDS, "_fold_sd", "_seed_sd")}
        row |= dict.fromkeys(
            ("colour_accuracy", "gain_over_colour", "gain_over_colour_low", "gain_over_colour_high"), np.nan
        )
        if entry in pooled:
            row |= _judge_entry(pooled[str(entry)], scoring, min(resamples, _DRAWS), confidence, seed)
        row |= {f"{name}_fold_sd": _spread_of_folds(own, name) for name in FIGURES}
        finished = own.loc[own["state"] == FINISHED, "seconds"]
        rows.append(row | {"seconds": own["seconds"].sum(), "seconds_per_unit": finished.mean()})
    return pd.DataFrame(rows)


def _judge_entry(table: pd.DataFrame, scoring: Scoring, resamples: int, confidence: float, seed: int) -> dict[str, Any]:
    shared, _ = align([table])
    outcomes = [_prepare(of_seed, scoring) for _, of_seed in shared[0].groupby("seed", sort=False)]
    groups = shared[0].drop_duplicates("image_id")["group"].to_numpy()
    scores = [_Scores(outcome) for outcome in outcomes]
    row: dict[str, Any] = {"seeds": len(outcomes), "images": len(groups), "groups": len(set(groups))}
    for name, estimate in estimate_over_seeds(scores, groups, resamples, confidence, seed).items():
        row |= estimate.tabulate(name)
    whole = pd.DataFrame([score(np.ones(len(groups))) for score in scores])
    spread = whole.std(ddof=1) if len(whole) > 1 else whole.iloc[0] * np.nan
    row |= {f"{name}_seed_sd": float(spread[name]) for name in FIGURES}
    return row | (_judge_colour(shared[0], len(outcomes), groups, confidence, seed) if RIGHT_BY_COLOUR in table else {})


def _judge_colour(
    table: pd.DataFrame, seeds: int, groups: np.ndarray, confidence: float, seed: int
) -> dict[str, float]:
    """Compare a model with stain colour alone as with another model, since what colour learns also varies by seed."""
    by_colour = table[RIGHT_BY_COLOUR].to_numpy(bool).reshape(seeds, -1)
    gain = compare_two(tell_hits(table, seeds), by_colour, groups, confidence, seed)
    ends = {
        f"gain_over_colour{end}": gain[name] for name, end in (("difference", ""), ("low", "_low"), ("high", "_high"))
    }
    return {"colour_accuracy": float(by_colour.mean())} | ends


class _Scores:
    """Computes the metrics of one seed from the weights of its images."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome

    def __call__(self, weights: np.ndarray) -> dict[str, float]:
        draw = Draw(self._outcome, weights)
        figures = {"accuracy": float(np.average(self._outcome.hits, weights=weights))}
        for name in FIGURES:
            number = METRICS[name].measure
            if isinstance(number, Number):
                figures[name] = float(np.asarray(number.measure(draw)))
        return figures


def _prepare(table: pd.DataFrame, scoring: Scoring) -> Outcome:
    probabilities = table[probability_columns(scoring.class_names)].to_numpy()
    predicted = pd.Index(scoring.class_names).get_indexer(table["predicted"])
    outcome = scoring.prepare(table["label"].to_numpy(), probabilities, predicted)
    return replace(outcome, groups=table["group"].to_numpy())


def _spread_of_folds(units: pd.DataFrame, name: str) -> float:
    """Compute the standard deviation between folds of the same seed, pooled over all seeds."""
    variances = units.groupby("seed")[name].var(ddof=1).dropna()
    return float(np.sqrt(variances.mean())) if len(variances) else np.nan


def count_confusion(table: pd.DataFrame, class_names: Sequence[str]) -> np.ndarray:
    """Count a model's predictions over all its complete seeds, one row per true and one column per predicted class."""
    counts = pd.crosstab(table["label"], table["predicted"])
    return counts.reindex(index=class_names, columns=class_names, fill_value=0).to_numpy()


def gather_histories(outcomes: Sequence[UnitOutcome], ledger: Ledger) -> pd.DataFrame:
    """Collect the epochs of all finished units: ``model, fold, seed`` and the columns of a history."""
    tables = []
    for outcome in outcomes:
        if outcome.mark:
            history = ledger.load_history(outcome.unit, outcome.mark.place)
            if len(history):
                unit = outcome.unit
                tables.append(history.assign(model=unit.entry, fold=unit.fold, seed=unit.seed))
    columns = [
        "model",
        "fold",
        "seed",
        "epoch",
        "train_accuracy",
        "train_loss",
        "validation_accuracy",
        "validation_loss",
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)

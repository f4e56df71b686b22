"""Compare the models of a study pair by pair."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from leukoscope.evaluation.crossed import compare_two, correct_pairs
from leukoscope.images.grouping import merge_groups


def align(tables: Sequence[pd.DataFrame]) -> tuple[list[pd.DataFrame], list[int]]:
    """Select the seeds and images that several pooled tables share, in the same order.

    Args:
        tables: Tables as returned by ``pool_units``.

    Returns:
        The tables, sorted by seed and image, with the first table's groups merged where other tables' groups connect
        them; and the seeds.
    """
    counts = [table.groupby("image_id")["seed"].nunique() for table in tables]
    seeds = [seed for seed in tables[0]["seed"].unique() if all(seed in set(table["seed"]) for table in tables)]
    shared = set.intersection(
        *(set(count.index[count == table["seed"].nunique()]) for count, table in zip(counts, tables, strict=True))
    )
    aligned = []
    for table in tables:
        kept = table[table["image_id"].isin(shared) & table["seed"].isin(seeds)]
        order = kept["seed"].map({seed: number for number, seed in enumerate(seeds)})
        aligned.append(
            kept.assign(order=order).sort_values(["order", "image_id"], ignore_index=True).drop(columns="order")
        )
    groups = aligned[0]["group"]
    for table in aligned[1:]:
        groups = pd.Series(merge_groups(groups, table["group"]), index=groups.index)
    return [table.assign(group=groups) for table in aligned], [int(seed) for seed in seeds]


def compare(pooled: Mapping[str, pd.DataFrame], confidence: float, seed: int) -> pd.DataFrame:
    """Compare the accuracies of all models, pair by pair, each over the seeds and images that the two share.

    Args:
        pooled: Predictions as returned by ``pool_units``.
        confidence: Confidence level of the intervals; the tests use one minus this as their level.
        seed: Seed for the interval if there is only one training seed.

    Returns:
        The columns of ``compare_over_seeds``, ``which_seeds``, such as ``1, 2``, and ``first_recipe`` and
        ``second_recipe``, the fingerprints of how the two were trained; no row for two that share no whole seed.
    """
    rows: list[dict[str, Any]] = []
    for first, second in combinations(pooled, 2):
        shared, seeds = align([pooled[first], pooled[second]])
        if seeds:
            hits = [tell_hits(table, len(seeds)) for table in shared]
            groups = shared[0]["group"].to_numpy()[: hits[0].shape[1]]
            row: dict[str, Any] = compare_two(hits[0], hits[1], groups, confidence, seed)
            row |= {"which_seeds": ", ".join(map(str, seeds))}
            row |= {f"{end}_recipe": _name_recipe(pooled[name]) for end, name in (("first", first), ("second", second))}
            rows.append({"first": first, "second": second} | row)
    return correct_pairs(rows, confidence)


def _name_recipe(table: pd.DataFrame) -> str:
    """Return the fingerprint of how all trainings of a model were made; empty if they differ."""
    recipes = table["recipe"].unique()
    return str(recipes[0]) if len(recipes) == 1 else ""


def tell_hits(table: pd.DataFrame, seeds: int) -> np.ndarray:
    """Mark the images that a model classifies correctly, boolean ``[seeds, n]``, from its table as in ``align``."""
    return (table["label"] == table["predicted"]).to_numpy().reshape(seeds, -1)

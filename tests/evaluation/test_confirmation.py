"""Whether a study is of the same recipes as the trainings that are compared."""

import pandas as pd
import pytest

from leukoscope.evaluation.confirmation import Setting, confirm, explain_changes, fingerprint_recipe

KEY = {"architecture": "tiny", "recipe": {"epochs": 2}, "augmentation": {"stain": 0.1}, "class_names": ["a", "b"]}
KEY |= {"seed": 1, "splits": "one", "split": "holdout", "engine": {"backend": "jax"}, "format": 1}
KEY |= {"data": {"images": ["one"], "size": 32}}


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 2},
        {"splits": "two", "split": "fold-1-of-5"},
        {"engine": {"backend": "torch"}},
        {"data": {"images": ["two"], "size": 32}},
    ],
)
def test_seed_split_and_machine_are_no_part_of_a_recipe(change):
    assert fingerprint_recipe(KEY | change) == fingerprint_recipe(KEY)


@pytest.mark.parametrize(
    "change",
    [
        {"recipe": {"epochs": 3}},
        {"augmentation": {"stain": 0.2}},
        {"class_names": ["b", "a"]},
        {"format": 2},
        {"data": {"images": ["one"], "size": 64}},
    ],
)
def test_whatever_else_determines_a_training_is(change):
    assert fingerprint_recipe(KEY | change) != fingerprint_recipe(KEY)


def test_what_the_file_has_of_no_change_says_nothing():
    assert explain_changes([float("nan"), "", None]) == ""


def test_each_change_is_named_once():
    words = explain_changes(["splitting, the recipe of a", "splitting"])
    assert words.startswith("The last study does not say which differences are real here (no longer the same: ")
    assert words.count("splitting") == 1


def test_without_any_pair_there_is_still_a_table():
    empty = pd.DataFrame({name: [] for name in ("first", "second", "difference", "shown")})
    assert list(confirm(empty, None, Setting(None, None, 0.95))) == [*empty, "real", "changed"]

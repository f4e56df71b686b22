"""What a search's space can say, and what it is refused."""

import optuna
import pytest
from pydantic import ValidationError

from leukoscope.pipelines.search.options import SearchOptions
from leukoscope.study.objectives import OBJECTIVES
from leukoscope.study.space import DEFAULT_SPACE, list_corners


def test_without_a_space_there_is_one_of_sense():
    for options in (SearchOptions(), SearchOptions(space=None)):
        assert set(options.space) == set(DEFAULT_SPACE)
        assert options.objective == ("validation_loss",)


def test_each_range_draws_what_it_says():
    space = SearchOptions(
        space={
            "training": {"learning_rate": {"log": ["1e-5", 1e-2]}, "epochs": {"int": [5, 30]}, "dropout": None},
            "training.batch_size": {"choice": [16, None]},
            "augmentation.stain": {"float": [0, 0.5]},
        }
    ).space
    assert set(space) == {"training.learning_rate", "training.epochs", "training.batch_size", "augmentation.stain"}
    drawn = [
        {name: values.draw(name, trial) for name, values in space.items()}
        for trial in (optuna.create_study().ask() for _ in range(50))
    ]
    rates = sorted(values["training.learning_rate"] for values in drawn)
    assert 1e-5 <= rates[0] < 1e-4
    assert 1e-4 < rates[25] < 1e-3
    assert {type(values["training.epochs"]) for values in drawn} == {int}
    assert {values["training.batch_size"] for values in drawn} == {16, None}
    assert all(0 <= values["augmentation.stain"] <= 0.5 for values in drawn)


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ({"training.learning_rat": {"log": [1e-5, 1e-2]}}, "did you mean 'learning_rate'"),
        ({"augmentation.stains": {"float": [0, 1]}}, "did you mean 'stain'"),
        ({"learning_rate": {"log": [1e-5, 1e-2]}}, "'learning_rate' is neither of training nor of augmentation"),
        ({"training.dropout": {"float": [0, 1.5]}}, "training.dropout is 1.5"),
        ({"training.optimizer": {"choice": ["adam", "adamm"]}}, "training.optimizer is 'adamm'"),
        ({"training.epochs": {"float": [1.5, 3]}}, "training.epochs is 1.5"),
        ({"training.dropout": {"float": [0, 0.5], "choice": [1]}}, "this has choice and float"),
        ({"training.dropout": {}}, "this has nothing"),
        ({"training.dropout": {"choice": []}}, "at least 1 item"),
        ({"training.dropout": {"float": [0.5, 0.5]}}, "is no range"),
        ({"training.dropout": {"float": [0, float("inf")]}}, "is no range"),
        ({"training.learning_rate": {"log": [0, 1]}}, "begins above 0"),
        ({"training.dropout": {"uniform": [0, 1]}}, "there is no parameter 'uniform'"),
        ({"training.dropout": 0.5}, "training.dropout"),
        ({"training.batch_size": {"choice": ["16", 32]}}, "write it without quotes"),
        ({}, "no parameter to search"),
    ],
)
def test_a_wrong_space_is_refused(space, words):
    with pytest.raises(ValidationError) as told:
        SearchOptions(space=space)
    assert words in str(told.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"objective": "test_accuracy"}, "there is no parameter 'test_accuracy'"),
        ({"objective": "grey|grey"}, "each once"),
        ({"objective": []}, "one to three figures"),
        ({"objective": list(OBJECTIVES)}, "one to three figures"),
        ({"trials": 0}, "trials"),
        ({"pruner": "best"}, "pruner"),
        ({"storage": "postgresql://me:secret@host/name"}, "has a password"),
        ({"storage": "postgresql://host/name?user=me&password=secret"}, "has a password"),
        ({"storage": "mysql+pymysql://me@host/name?passwd="}, "has a password"),
    ],
)
def test_wrong_options_are_refused(values, words):
    with pytest.raises(ValidationError) as told:
        SearchOptions(**values)
    assert words in str(told.value)


def test_corners_are_the_ends_alone_and_together_as_far_as_these_are_not_too_many():
    space = SearchOptions(space={"training.dropout": {"float": [0, 0.5]}, "training.epochs": {"choice": [2, 3]}}).space
    corners = list(list_corners(space))
    assert len(corners) == 4 + 4
    assert {"training.dropout": 0.5, "training.epochs": 2} in corners
    many = SearchOptions(
        space={f"training.{name}": {"choice": list(range(1, 99))} for name in ("epochs", "batch_size")}
    )
    assert len(list(list_corners(many.space))) == 2 * 98 + 512

"""Commands that messages name."""

import pytest

from leukoscope.core.commands import name_run, name_training, set_environment, set_models


@pytest.fixture(autouse=True)
def _no_session():
    yield
    set_environment(None)
    set_models([])


def test_a_command_has_the_environment_and_the_parameters():
    assert name_run("training", {"seed": 2, "splitting.fold": "1 of 5"}) == (
        'kedro run --pipelines training --params "seed=2,splitting.fold=1 of 5"'
    )
    set_environment("demo")
    assert name_run("training") == "kedro run --pipelines training --env demo"
    set_environment("local")
    assert name_run("training") == "kedro run --pipelines training"


def test_a_training_is_one_of_the_models_that_there_are():
    assert name_training() == "kedro run --pipelines train_MODEL"
    set_models(["my_network", "resnet50"])
    assert name_training() == "kedro run --pipelines train_my_network"

"""What MLflow's page of an experiment says, and a view of its runs with the figures that matter.

MLflow lists runs by their age, without a figure, and compares them by whatever metric is the first by name. A view that
somebody shares is a tag of the experiment, which its page reads: the columns that are shown, and the order.
"""

import json

from mlflow import MlflowClient
from mlflow.entities import Experiment
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

from leukoscope.reporting.tracked import EXPERIMENT

_NAME = "models"
_TAG = f"mlflow.sharedViewState.{_NAME}"
_COLUMNS = ("test_accuracy", "test_macro_f1", "test_auc")
_VIEW = {
    "searchFilter": "metrics.test_accuracy >= 0",  # runs of models alone
    "orderByKey": "metrics.`test_accuracy`",
    "orderByAsc": False,
    "startTime": "ALL",
    "lifecycleFilter": "Active",
    "datasetsFilter": [],
    "modelVersionFilter": "All Runs",
    "selectedColumns": [f"metrics.`{name}`" for name in _COLUMNS],
}


def find_view(experiment_id: str) -> str:
    """Give the address within the UI that shows the models of an experiment with their figures, the best first."""
    return f"#/experiments/{experiment_id}/runs?viewStateShareKey={_NAME}"


def describe_experiment(client: MlflowClient, experiment: Experiment) -> None:
    """Let the page of an experiment say what it is, unless somebody has said so, and give it the view.

    Args:
        client: Of the server.
        experiment: As it was found.
    """
    wanted = {_TAG: json.dumps(_VIEW)}
    if MLFLOW_RUN_NOTE not in experiment.tags:
        wanted[MLFLOW_RUN_NOTE] = EXPERIMENT.format(view=find_view(experiment.experiment_id))
    for name, value in wanted.items():
        if experiment.tags.get(name) != value:
            client.set_experiment_tag(experiment.experiment_id, name, value)

"""Logging of classifiers in MLflow: networks as Keras models, other kinds as files."""

import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient

from leukoscope.models.base import FOLDER


def log_network(classifier: Any) -> None:
    """Log a network as a Keras model into the active run.

    Args:
        classifier: A network with the names of its classes.
    """
    import keras
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    classes = len(classifier.class_names)
    backend = keras.backend.backend()
    mlflow.keras.log_model(
        classifier.network,
        name="model",
        signature=ModelSignature(
            inputs=Schema([TensorSpec(np.dtype("uint8"), (-1, -1, -1, 3), name="image")]),
            outputs=Schema([TensorSpec(np.dtype("float32"), (-1, classes), name="probabilities")]),
        ),
        metadata={"class_names": list(classifier.class_names)},
        pip_requirements=[f"{package}=={version(package)}" for package in ("keras", backend)],
    )


def log_files(client: MlflowClient, run_id: str, classifier: Any) -> None:
    """Log a classifier's own files, without its members, which are logged separately.

    Args:
        client: The MLflow client.
        run_id: The id of the model's run.
        classifier: A classifier of a kind that is stored in a folder.
    """
    with tempfile.TemporaryDirectory() as scratch:
        classifier.save_own(Path(scratch))
        client.log_artifacts(run_id, scratch, FOLDER)

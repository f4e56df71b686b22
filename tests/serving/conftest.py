from pathlib import Path

import mlflow
import pytest
from mlflow.pyfunc import scoring_server

import leukoscope
from leukoscope.serving.model import ARTIFACT
from leukoscope.serving.registry import describe_signature
from served_reader import LIMITS, Client
from tiny_reader import make_reader


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> mlflow.pyfunc.PyFuncModel:
    root, reader = tmp_path_factory.mktemp("served"), make_reader()
    (root / "reader").mkdir()
    reader.save(root / "reader")
    mlflow.pyfunc.save_model(
        root / "model",
        python_model=str(Path(leukoscope.__file__).parent / "serving/entry.py"),
        artifacts={ARTIFACT: str(root / "reader")},
        model_config=LIMITS._asdict(),
        signature=describe_signature(reader),
        pip_requirements=["mlflow"],
    )
    return mlflow.pyfunc.load_model(str(root / "model"))


@pytest.fixture(scope="module")
def client(model) -> Client:
    return Client(scoring_server.init(model))

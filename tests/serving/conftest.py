import mlflow
import pytest
from mlflow.pyfunc import scoring_server

from served_reader import Client, pack
from tiny_reader import make_reader


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> mlflow.pyfunc.PyFuncModel:
    return pack(tmp_path_factory.mktemp("served"), make_reader())


@pytest.fixture(scope="module")
def client(model) -> Client:
    return Client(scoring_server.init(model))

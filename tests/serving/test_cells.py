"""What a served reader of cells says of the cells of an image."""

import base64
import json

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import scoring_server

from cell_models import make_fields, make_reader
from leukoscope.inference.cell_evidence import list_cells
from served_reader import GOOD, PICTURE, Client, pack, read_message
from tiny_reader import encode

FIELD, EMPTY = 0, int(np.flatnonzero(make_fields().counts == 0)[0])


@pytest.fixture(scope="module")
def cell_model(tmp_path_factory) -> mlflow.pyfunc.PyFuncModel:
    return pack(tmp_path_factory.mktemp("cells"), make_reader())


@pytest.fixture(scope="module")
def asked() -> pd.DataFrame:
    return pd.DataFrame({"image": [make_fields().pixels[number] for number in (FIELD, EMPTY)]})


def test_cells_are_told_where_they_are_asked_for(cell_model, asked):
    told = cell_model.predict(asked, params={"cells": True})
    expected = make_reader().classifier.read_cells(make_fields().pixels[FIELD])
    assert [len(cells) for cells in told["cells"]] == [3, 0]
    for cell, row in zip(told["cells"][0], expected.to_dict("records"), strict=True):
        assert [cell[name] for name in ("cell", "left", "top", "right", "bottom", "touching", "cut")] == [
            row[name] for name in ("cell", "left", "top", "right", "bottom", "touching", "cut")
        ]
        assert cell["weight"] == pytest.approx(row["weight"], abs=1e-5)
        for name, share in cell["contributions"].items():
            assert share == pytest.approx(row[f"contribution_{name}"], abs=1e-4)
    assert sum(cell["weight"] for cell in told["cells"][0]) == pytest.approx(1)
    pd.testing.assert_frame_equal(told.drop(columns="cells"), cell_model.predict(asked))


def test_the_signature_has_the_parameter_and_what_is_told(cell_model, asked):
    signature = cell_model.metadata.signature
    assert [(one.name, one.default) for one in signature.params] == [("cells", False)]
    told = {spec.name: spec for spec in signature.outputs}["cells"]
    assert not told.required
    cell = list_cells(make_reader().classifier, make_fields().pixels[FIELD])[0]
    assert {one.name for one in told.type.dtype.properties} == set(cell)
    with pytest.raises(MlflowException, match="cells"):
        cell_model.predict(asked, params={"cells": "many"})


@pytest.mark.slow
def test_a_server_tells_them_too(cell_model, asked):
    client = Client(scoring_server.init(cell_model))
    rows = [{"image": base64.b64encode(encode(image)).decode()} for image in asked["image"]]
    (told, empty) = client.post(json.dumps({"inputs": rows, "params": {"cells": True}}).encode()).json()["predictions"]
    assert told["cells"] == json.loads(json.dumps(list_cells(make_reader().classifier, asked["image"][0])))
    assert empty["cells"] == []
    for params in ({}, None, {"cells": False}):
        response = client.post(json.dumps({"inputs": rows, "params": params}).encode())
        assert response.status_code == 200
        assert "cells" not in response.json()["predictions"][0]


@pytest.mark.parametrize(
    "params", [[], 1, {"cells": 1}, {"cells": "true"}, {"cells": None}, {"cell": True}, {"cells": True, "other": 1}]
)
def test_parameters_of_another_form_are_refused(client, params):
    response = client.post(json.dumps({"inputs": [{"image": PICTURE}], "params": params}).encode())
    assert response.status_code == 400
    assert "true or false" in read_message(response)


def test_a_reader_of_whole_fields_says_that_it_knows_no_cells(client):
    response = client.post(json.dumps({"inputs": [{"image": PICTURE}], "params": {"cells": True}}).encode())
    assert response.status_code == 400
    assert "does not read cells one by one" in read_message(response)
    assert client.post(GOOD).status_code == 200

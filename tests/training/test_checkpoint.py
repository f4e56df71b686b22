from zipfile import BadZipFile

import keras
import numpy as np
import pytest

from leukoscope.training.checkpoint import load_variables, save_variables


def make(*values) -> list[keras.Variable]:
    return [keras.Variable(value) for value in values]


def test_variables_come_back_to_the_last_bit(tmp_path, rng):
    values = [rng.normal(size=(3, 2)).astype("float32"), np.float32(0.1), np.arange(4, dtype="int64"), *range(20)]
    save_variables(tmp_path / "state.npz", make(*values))
    variables = make(*(np.zeros_like(one) for one in values))
    load_variables(tmp_path / "state.npz", variables)
    for variable, value in zip(variables, values, strict=True):
        assert (keras.ops.convert_to_numpy(variable) == value).all()


@pytest.mark.parametrize("others", [[np.zeros(3)], [np.zeros(2), np.zeros(2)], []])
def test_values_of_other_variables_are_refused(tmp_path, others):
    save_variables(tmp_path / "state.npz", make(np.zeros(2)))
    variables = make(*others)
    with pytest.raises(ValueError, match="it has other values than"):
        load_variables(tmp_path / "state.npz", variables)


def test_a_full_file_that_lost_a_byte_is_refused(tmp_path):
    file = tmp_path / "state.npz"
    save_variables(file, make(np.ones(1000)))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 255
    file.write_bytes(content)
    variables = make(np.zeros(1000))
    with pytest.raises(BadZipFile, match="CRC"):
        load_variables(file, variables)
    assert not keras.ops.convert_to_numpy(variables[0]).any()

"""Files of tensors, whole and broken."""

import json
import sys

import numpy as np
import pytest

from leukoscope.core.errors import InputError
from leukoscope.models.tensor_files import read_tensors
from torch_files import write_safetensors

TENSORS = {"a.weight": np.arange(6, dtype="float32").reshape(2, 3), "b": np.array(7.0, "float32")}


def test_what_was_written_is_read(tmp_path):
    read = read_tensors(write_safetensors(tmp_path / "x.safetensors", TENSORS))
    assert list(read) == list(TENSORS)
    assert all(np.array_equal(read[key], tensor) for key, tensor in TENSORS.items())


def test_half_of_a_float_is_one(tmp_path):
    numbers = np.array([1.5, -3.0], "float32")
    text = json.dumps({"x": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}).encode()
    upper = (numbers.view("<u4") >> 16).astype("<u2").tobytes()
    (tmp_path / "x.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + upper)
    assert read_tensors(tmp_path / "x.safetensors")["x"].tolist() == [1.5, -3.0]


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 24]}, "needs 4835703278458516698824704 bytes"),
        ({"dtype": "F32", "shape": [0, 10**30], "data_offsets": [0, 0]}, r"shape and place of 'a.weight' are"),
        ({"dtype": "F32", "shape": [1] * 100, "data_offsets": [0, 4]}, r"shape and place of 'a.weight' are"),
        ({"dtype": "F32", "shape": [2, 3], "data_offsets": [8, 32]}, "bytes 8 to 32 of 28"),
        ({"dtype": "F32", "shape": [2, 3], "data_offsets": [24, 0]}, "has bytes 24 to 0"),
        ({"dtype": "F32", "shape": [2, -3], "data_offsets": [0, 24]}, r"are \[2, -3\]"),
        ({"dtype": "F32", "shape": [2, 3], "data_offsets": [0]}, r"and \[0\]"),
        ({"dtype": "object", "shape": [2, 3], "data_offsets": [0, 24]}, "type of 'a.weight' is 'object'"),
        ("text", "type of 'a.weight' is None"),
    ],
)
def test_what_goes_beyond_the_file_is_refused_before_anything_is_made(tmp_path, facts, why):
    path = write_safetensors(tmp_path / "x.safetensors", TENSORS, **{"a.weight": facts})
    with pytest.raises(InputError, match=rf"x.safetensors is no whole safetensors file: .*{why}"):
        read_tensors(path)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "the file has 0"),
        (b"\xff" * 8 + b"{}", "should have 18446744073709551615 bytes, and the file has 10"),
        ((4).to_bytes(8, "little") + b"text", "header is not JSON"),
        ((100_000).to_bytes(8, "little") + b"[" * 100_000, "header is not JSON"),
        ((2).to_bytes(8, "little") + b"[]", "header is no table"),
        ((2).to_bytes(8, "little") + b"{}", "it has no tensor"),
    ],
)
def test_a_broken_header_is_told(tmp_path, content, why):
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(InputError, match=f"no whole safetensors file: .*{why}"):
        read_tensors(tmp_path / "x.safetensors")


def test_other_files_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"x\.h5 is no weights file .* one of \.safetensors, \.pt, \.pth"):
        read_tensors(tmp_path / "x.h5")
    with pytest.raises(InputError, match=r"x\.safetensors cannot be read: No such file"):
        read_tensors(tmp_path / "x.safetensors")


def test_a_file_of_pytorch_needs_pytorch(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(
        InputError, match=r"x\.pth is a file of PyTorch, which is not installed.*'\.\[torch\]'.*safetensors"
    ):
        read_tensors(tmp_path / "x.pth")


class TestPyTorch:
    @pytest.fixture
    def torch(self):
        return pytest.importorskip("torch")

    def test_a_state_dict_is_read(self, torch, tmp_path):
        torch.save({"a": torch.arange(3.0), "b": torch.ones(2).bfloat16()}, tmp_path / "x.pth")
        read = read_tensors(tmp_path / "x.pth")
        assert [read["a"].tolist(), read["b"].tolist()] == [[0, 1, 2], [1, 1]]

    def test_code_is_never_run(self, torch, tmp_path):
        class Trap:
            def __reduce__(self):
                return (open, (str(tmp_path / "opened"), "w"))

        torch.save({"a": Trap()}, tmp_path / "x.pth")
        with pytest.raises(InputError, match="no file of tensors alone"):
            read_tensors(tmp_path / "x.pth")
        assert not (tmp_path / "opened").exists()

    def test_what_is_no_state_dict_is_told(self, torch, tmp_path):
        torch.save({"state_dict": {"a": torch.ones(1)}, "epoch": 3}, tmp_path / "x.pt")
        with pytest.raises(InputError, match=r"under 'state_dict' a dict\. .*under 'state_dict' or 'model' by itself"):
            read_tensors(tmp_path / "x.pt")
        torch.save(torch.ones(1), tmp_path / "y.pt")
        with pytest.raises(InputError, match="holds a Tensor"):
            read_tensors(tmp_path / "y.pt")

"""Files of named tensors: safetensors, which is parsed here, and PyTorch's."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from leukoscope.backend.torch_files import read_state_dict
from leukoscope.core.errors import InputError

# Bytes of the length field at the start of a safetensors file, and the longest header that the format allows.
_LENGTH = 8
_LONGEST_HEADER = 100_000_000
_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2"}
_TYPES |= {"I8": "i1", "U8": "u1", "BOOL": "?"}
# NumPy supports neither more axes nor longer ones.
_MOST_AXES = 32
_MOST = 2**62
_SUFFIXES = (".safetensors", ".pt", ".pth")


def read_tensors(path: Path) -> Mapping[str, np.ndarray]:
    """Read a file of tensors.

    Args:
        path: A ``.safetensors`` file, or PyTorch's ``.pt`` or ``.pth``.

    Returns:
        Arrays by name; those of a safetensors file stay in it until they are used.

    Raises:
        InputError: It is not such a file, or violates its format.
    """
    if path.suffix not in _SUFFIXES:
        raise InputError(f"{path} is no weights file that can be read. Expected one of {', '.join(_SUFFIXES)}.")
    try:
        return read_safetensors(path) if path.suffix == ".safetensors" else read_state_dict(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}. Give the path of a file.") from error


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """Read a safetensors file (https://huggingface.co/docs/safetensors): a length, a header in JSON, and raw arrays.

    The whole header is checked against the file's size before any array is created, and arrays are views of the file.

    Raises:
        InputError: It violates its format.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH), "little")
        if size < _LENGTH or length > min(size - _LENGTH, _LONGEST_HEADER):
            raise _refuse(path, f"its header should have {length} bytes, and the file has {size}")
        header = _parse(path, file.read(length))
    start = _LENGTH + length
    places = {key: _find_place(path, key, facts, size - start) for key, facts in header.items()}
    if not places:
        raise _refuse(path, "it has no tensor")
    content = np.memmap(path, mode="r") if size > start else np.zeros(size, "uint8")
    return {key: _take(content[start:], *place) for key, place in places.items()}


def _parse(path: Path, text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _refuse(path, "its header is not JSON") from error
    if not isinstance(header, dict):
        raise _refuse(path, "its header is no table")
    header.pop("__metadata__", None)
    return header


def _find_place(path: Path, key: str, facts: Any, size: int) -> tuple[str, tuple[int, ...], int, int]:
    """Return the type, the shape, and the first and last byte of a tensor, if they are consistent.

    Args:
        path: The file's path, for messages.
        key: The tensor's key.
        facts: The tensor's entry in the header.
        size: Bytes after the header.
    """
    facts = facts if isinstance(facts, dict) else {}
    kind, shape, offsets = (facts.get(name) for name in ("dtype", "shape", "data_offsets"))
    if not isinstance(kind, str) or kind not in _TYPES:
        raise _refuse(path, f"the type of '{key}' is {kind!r}, and known are {', '.join(_TYPES)}")
    if not _is_counts(shape) or len(shape) > _MOST_AXES or not _is_counts(offsets) or len(offsets) != 2:
        raise _refuse(path, f"shape and place of '{key}' are {shape!r} and {offsets!r}")
    begin, end = offsets
    needed = np.dtype(_TYPES[kind]).itemsize
    for length in shape:  # Python integers, which do not overflow
        needed *= length
    if not begin <= end <= size or end - begin != needed:
        raise _refuse(path, f"'{key}' needs {needed} bytes and has bytes {begin} to {end} of {size}")
    return kind, tuple(shape), begin, end


def _is_counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(number) is int and 0 <= number < _MOST for number in value)


def _take(content: np.ndarray, kind: str, shape: tuple[int, ...], begin: int, end: int) -> np.ndarray:
    array = np.frombuffer(content[begin:end], _TYPES[kind]).reshape(shape)
    if kind == "BF16":  # the upper half of a float32
        return (array.astype("<u4") << 16).view("<f4")
    return array


def _refuse(path: Path, reason: str) -> InputError:
    return InputError(f"{path} is no whole safetensors file: {reason}. Get it again.")

"""Masks as strings: the compressed run lengths of COCO, which ``pycocotools`` reads and writes.

Runs go down the columns, the leftmost first, and begin with pixels outside the mask (Lin et al. 2014, Microsoft COCO:
common objects in context; the format is that of ``maskApi.c``). Each run but the first three is stored as the
difference from the run two before it, five bits per character, lowest bits first, starting from the character ``0``.
"""

import numpy as np

_BITS = 5
_MORE = 0x20
_SIGN = 0x10
_FIRST = 48


def encode_mask(mask: np.ndarray) -> str:
    """Encode a mask as a string.

    Args:
        mask: Boolean ``[height, width]``.
    """
    flat = np.concatenate([[False], mask.ravel(order="F"), [not mask[-1, -1]]])
    ends = np.flatnonzero(flat[1:] != flat[:-1])
    runs = np.diff(ends, prepend=0).tolist()
    steps = runs[:3] + [run - before for run, before in zip(runs[3:], runs[1:], strict=False)]
    return "".join(_encode_number(step) for step in steps)


def decode_mask(text: str, height: int, width: int) -> np.ndarray:
    """Decode a mask from a string.

    Args:
        text: A string from ``encode_mask``.
        height: Height of the mask in pixels.
        width: Width of the mask in pixels.

    Returns:
        Boolean ``[height, width]``.

    Raises:
        ValueError: The string is not a mask of that size.
    """
    runs: list[int] = []
    for step in _decode_numbers(text):
        runs.append(step + runs[-2] if len(runs) > 2 else step)
    if min(runs, default=-1) < 0 or sum(runs) != height * width:
        raise ValueError(f"{text[:20]!r} is no mask of {height} x {width} pixels")
    inside = np.arange(len(runs)) % 2 == 1
    return np.repeat(inside, runs).reshape(height, width, order="F")


def _encode_number(number: int) -> str:
    letters = []
    while True:
        bits = number & 0x1F
        number >>= _BITS
        ends = number == (-1 if bits & _SIGN else 0)
        letters.append(chr((bits if ends else bits | _MORE) + _FIRST))
        if ends:
            return "".join(letters)


def _decode_numbers(text: str) -> list[int]:
    numbers = []
    number = 0
    shift = 0
    for letter in text:
        bits = ord(letter) - _FIRST
        number |= (bits & 0x1F) << shift
        shift += _BITS
        if not bits & _MORE:
            numbers.append(number - (1 << shift) if bits & _SIGN else number)
            number = 0
            shift = 0
    return numbers

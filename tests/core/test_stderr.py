"""What libraries write past Python is held back, and only what is unwanted is left out."""

import os

import pytest

from leukoscope.core.stderr import leaving_out


def test_unwanted_lines_are_left_out_and_all_others_stay(capfd):
    with leaving_out(rb"I\d{4} |noise"):
        os.write(2, b"I0001 of a library\nE0001 of a library\nnoise\nno noise")
    assert capfd.readouterr().err == "E0001 of a library\nno noise"


def test_nothing_is_lost_to_an_error(capfd):
    def fail() -> None:
        os.write(2, b"what happened\n")
        raise ValueError("x")

    with pytest.raises(ValueError, match="x"), leaving_out(b"noise"):
        fail()
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "what happened\nafterwards\n"

"""Layers and kernels of our own compute under every backend what their worked examples say."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
LAYERS = ("attention", "cell_layers", "grouped", "masking", "normalising", "optical", "pooling", "responses")
LAYERS += ("unmixing",)
FILES = [f"models/test_{name}.py" for name in LAYERS] + ["backend/test_device.py"]
FILES += ["training/test_augmentation.py", "training/test_camera.py"]


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])  # under TensorFlow they are tests of their own
def test_the_tests_of_our_own_hold_under_another_backend(backend):
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(TESTS / file for file in FILES)]
    environment = os.environ | {"KERAS_BACKEND": backend}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout
    assert " passed" in answer.stdout

"""Both generators learn and draw under every backend, by the same code."""

import json
import math
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

LEARN = """
import json, sys
import numpy as np
from leukoscope.generation import networks
from leukoscope.generation.dcgan import AdversarialLearner
from leukoscope.generation.ddpm import DiffusionLearner
from leukoscope.generation.options import GenerationOptions
networks.CHANNELS = (8, 8, 16)
kind = {"ddpm": DiffusionLearner, "dcgan": AdversarialLearner}[sys.argv[1]]
learner = kind(2, GenerationOptions(learning_rate=2e-3, sampling_steps=2, ema_momentum=0.5), 1)
images = np.repeat(np.linspace(-0.9, 0.9, 4), 64 * 64 * 3).reshape(4, 64, 64, 3).astype("float32")
classes = np.arange(4) % 2
losses = [learner.learn(np.random.default_rng(0), images, classes)["loss"] for _ in range(6)]
learner.finish()
drawn = learner.draw(np.random.default_rng(1), classes)
judged = learner.judge(np.random.default_rng(2), images, classes)
print(json.dumps({"losses": losses, "drawn": [*drawn.shape, float(np.abs(drawn).max())], "judged": judged}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ddpm", "dcgan"])
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_a_generator_learns_and_draws(backend, kind):
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    environment = os.environ | {"KERAS_BACKEND": backend}
    answer = subprocess.run(
        [sys.executable, "-c", LEARN, kind], env=environment, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    told = json.loads(answer.stdout.splitlines()[-1])
    losses = told["losses"]
    if kind == "ddpm":
        assert losses[-1] < 0.98 * losses[0]
    else:  # of adversaries, of which one loses what the other wins
        assert all(map(math.isfinite, losses))
        assert len(set(losses)) == len(losses)
    assert told["drawn"][:4] == [4, 64, 64, 3]
    assert 0 < told["drawn"][4] <= 1
    assert told["judged"] > 0

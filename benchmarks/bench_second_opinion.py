"""How fast a second opinion is: exported files beside Keras, and MLflow's server beside calling the reader directly.

    python benchmarks/bench_second_opinion.py

MobileNetV2 at 224 pixels, of random weights, on drawn smears.
"""

import base64
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as the project's settings do
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import harness
import numpy as np
import page
import pandas as pd
from harness import Result, alternate
from PIL import Image

from leukoscope.evaluation import feature_table
from leukoscope.evaluation.trust import Calibration
from leukoscope.images.decoding import Limits
from leukoscope.images.field_checks import check_fields
from leukoscope.inference.exporting import FORMATS, PRECISIONS, Exporter
from leukoscope.inference.predictor import Predictor
from leukoscope.models.network import build_classifier
from leukoscope.reader.second_reader import SecondReader
from leukoscope.serving.registry import ReaderRegistry
from leukoscope.serving.requests import RequestLimits
from leukoscope.synthetic import draw_smear
from leukoscope.training.recipe import Recipe, RecipeDifferences, resolve_recipe

BACKBONE, SIZE, IMAGES, BATCH = "mobilenet_v2", 224, 64, 16


def make_reader(images: np.ndarray) -> SecondReader:
    """Make a reader that knows the images, and has learned nothing of them."""
    recipe = resolve_recipe(BACKBONE, Recipe(weights="none", input_size=SIZE), RecipeDifferences())
    classifier = replace(build_classifier(BACKBONE, recipe, harness.CLASSES, seed=0), image_size=SIZE)
    features = Predictor(classifier, BATCH).predict(images)[1]
    ids = [str(number) for number in range(len(images))]
    facts = pd.DataFrame({"image_id": ids, "split": "train", "sha256": ids, "model": classifier.fingerprint})
    calibration = Calibration(1.0, 0.5, 10.0, [[0.1]] * len(harness.CLASSES), model=classifier.fingerprint)
    limits = Limits(32, 10**8, 10**8)
    table = feature_table.tabulate(facts, features, check_fields(images))
    return SecondReader(BACKBONE, classifier, calibration, table, harness.CLASSES[:1], limits)


def in_batches(predict, images: np.ndarray) -> None:
    """Predict all images, some at a time."""
    for start in range(0, len(images), BATCH):
        predict(images[start : start + BATCH])


def bench_exports(reader: SecondReader, images: np.ndarray) -> Iterator[Result]:
    """Compare each exported file with Keras, in turn."""
    exporter = Exporter(reader, images)
    predictors = {
        f"{FORMATS[name].title} {precision}": FORMATS[name].load(FORMATS[name].write(exporter, precision))
        for name in FORMATS
        for precision in PRECISIONS
    }
    calls = {name: partial(in_batches, predict, images) for name, predict in predictors.items()}
    times = alternate(5, keras=partial(in_batches, reader.predictor.predict, images), **calls)
    fastest = min(calls, key=times.__getitem__)
    for name in calls:
        note = f"{len(images) / times[name]:.0f} against {len(images) / times['keras']:.0f} images/s"
        yield Result(f"times as many images a second as Keras, {name}", times["keras"] / times[name], note=note)
    yield Result("times as many images a second as Keras, the best", times["keras"] / times[fastest], 2.0, note=fastest)


@contextmanager
def serve(reader: SecondReader, store: Path) -> Iterator[str]:
    """Serve the reader as people do, and give the address."""
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{store}/mlflow.db")
    mlflow.set_experiment(experiment_id=mlflow.create_experiment("bench", artifact_location=str(store / "artifacts")))
    ReaderRegistry("leukoscope", "champion", "bench").promote(reader, RequestLimits(64, 10**8, 10**8), None, {})
    mlflow.end_run()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/leukoscope@champion"]
    environment = os.environ | {
        "MLFLOW_TRACKING_URI": f"sqlite:///{store}/mlflow.db",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    log = (store / "server.log").open("w")
    process = subprocess.Popen(
        [*command, "--env-manager", "local", "-p", str(port)],
        env=environment,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address, process)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)


def _wait_for(address: str, process: subprocess.Popen) -> None:
    for _ in range(240):
        try:
            urllib.request.urlopen(f"{address}/ping", timeout=2)
            return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.5)
    raise SystemExit("MLflow's server did not start.")


def post(address: str, files: list[bytes]) -> None:
    """Ask the server for opinions."""
    images = [{"image": base64.b64encode(one).decode()} for one in files]
    body = json.dumps({"inputs": images}).encode()
    request = urllib.request.Request(f"{address}/invocations", body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=60).read()


def bench_serving(reader: SecondReader, images: np.ndarray, store: Path) -> Iterator[Result]:
    """Compare the server with the reader in this process: one image, and many in batches by two clients."""
    files = [_encode(image) for image in images]
    batches = [files[start : start + BATCH] for start in range(0, len(files), BATCH)]

    def read(some: list[bytes]) -> None:
        reader.read(np.stack([reader.decode(one) for one in some]))

    with serve(reader, store) as address, ThreadPoolExecutor(2) as clients:
        one = alternate(30, direct=partial(read, files[:1]), served=partial(post, address, files[:1]))
        many = alternate(
            5,
            direct=lambda: [read(batch) for batch in batches],
            served=lambda: list(clients.map(partial(post, address), batches)),
        )
    note = f"{1000 * one['served']:.0f} ms against {1000 * one['direct']:.0f} ms"
    yield Result("latency of one image served / read directly", one["served"] / one["direct"], note=note)
    rates = {name: len(files) / seconds for name, seconds in many.items()}
    note = f"{rates['served']:.0f} against {rates['direct']:.0f} images/s, 16 a request, two clients"
    yield Result("throughput served / read directly", rates["served"] / rates["direct"], note=note)


def _encode(image: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(image).save(content, "JPEG", quality=90)
    return content.getvalue()


def main() -> None:
    """Run the benchmarks, print and keep their results, and write the page."""
    names = harness.CLASSES
    images = np.stack([draw_smear(names[n % len(names)], np.random.default_rng(n), SIZE) for n in range(IMAGES)])
    reader = make_reader(images)
    with tempfile.TemporaryDirectory() as name:
        page.keep(bench_exports(reader, images), bench_serving(reader, images, Path(name)))


if __name__ == "__main__":
    main()

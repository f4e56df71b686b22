"""How near training and prediction come to the machine's limit, and how they compare with what a user would write.

    make bench          # everything, more than an hour on two cores
    make bench-quick    # what takes under three minutes
    python benchmarks/bench_training.py --only prediction memory

Each benchmark compares two things in one run, in turn. Images are made; LEUKOSCOPE_DATA names real ones for the
comparisons that learn something.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as the project's settings do

import harness
import numpy as np
import pandas as pd
import peers
from harness import Result, alternate
from peers import Peer

from leukoscope.images.packed import PackedImages
from leukoscope.synthetic.smears import write_smears
from leukoscope.training.labelled import LabelledImages

AUGMENTATION = {"horizontal_flip": True, "rotation": 18.0, "zoom": 0.1, "shift": 0.1}
BATCH, STEPS, MORE_STEPS = 32, 3, 8
FROZEN_EPOCHS, ANEW_EPOCHS, FROZEN_REPEATS, FROZEN_SEEDS = 30, 4, 3, 16
# Training images of the published data set, split as by default, for what costs the same however long an epoch is.
EPOCH_IMAGES = 2_279


def make_trainer(backbone: str, images: LabelledImages, size: int, folder: Path, seed: int = 0, **recipe):
    """Make the project's own trainer of random weights, in a journal of its own."""
    from leukoscope.backend.memory import keep_freed_memory
    from leukoscope.training.journal import TrainingJournal
    from leukoscope.training.recipe import Recipe, RecipeDifferences, resolve_recipe
    from leukoscope.training.trainer import Trainer

    keep_freed_memory()  # as every training does first
    shared = Recipe(**{"weights": "none", "input_size": size, "batch_size": BATCH, "patience": None, **recipe})
    resolved = resolve_recipe(backbone, shared, RecipeDifferences())
    journal = TrainingJournal(folder / backbone / "journal")
    journal.start({"recipe": resolved.model_dump(), "size": size, "images": len(images.rows)})
    return Trainer(backbone, resolved, harness.CLASSES, images, images, AUGMENTATION, journal, seed)


def make_epoch(backbone: str, images: LabelledImages, size: int, folder: Path, **recipe) -> Callable[[], None]:
    """Make one epoch of the project's training, without validation."""
    trainer = make_trainer(backbone, images, size, folder, **recipe)
    model, batches, _ = trainer.assemble(trainer.recipe.phases[0])
    return partial(model.fit, batches, epochs=1, shuffle=False, verbose=0)


def select(images: PackedImages, count: int) -> LabelledImages:
    """Take the first images of the packed array, over and over if it has fewer."""
    rows = np.arange(count) % len(images)
    return LabelledImages(images.pixels, rows, rows % len(harness.CLASSES), np.ones(count))


def bench_overhead(work: Path, images: PackedImages, quick: bool) -> Iterator[Result]:
    """Compare an epoch with its steps on one batch in memory, and a step with one that does not augment."""
    import keras

    from leukoscope.training.callbacks import list_state
    from leukoscope.training.checkpoint import save_variables

    small, large = ("mobilenet_v2", 96, 0.10), ("resnet50", 224, 0.05)
    # Of the small one a whole epoch: what an epoch costs once weighs in shorter ones, and their ratios are noise.
    cases = [(*small, 24, 5)] if quick else [(*small, EPOCH_IMAGES // BATCH, 7), (*large, 4, 5)]
    for backbone, size, share, steps, rounds in cases:
        trainer = make_trainer(backbone, select(images, steps * BATCH), size, work)
        # One model each: what runs batches of both kinds is traced anew again and again.
        (model, batches, _), (held, _, _) = (trainer.assemble(trainer.recipe.phases[0]) for _ in range(2))
        bare = keras.Model(trainer.network.inputs, trainer.network.outputs)
        bare.compile(keras.optimizers.Adam(1e-4), "categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
        times = harness.alternate_with_epochs(
            model,
            batches,
            rounds,
            steps=partial(repeat, held, batches[0], steps),
            bare=partial(repeat, bare, batches[0], steps),
        )
        note = f"{steps} steps: {times['epoch']:.2f} s against {times['steps']:.2f} s"
        yield Result(
            f"epoch / steps in memory, {backbone} at {size}", times["epoch"] / times["steps"], 1.05, True, note
        )
        value = (times["steps"] - times["bare"]) / times["steps"]
        note = f"{steps} steps: {times['steps']:.2f} s, without {times['bare']:.2f} s"
        yield Result(f"augmentation's share of a step, {backbone} at {size}", value, share, True, note)
        keep = alternate(
            3,
            state=partial(save_variables, work / "state.npz", list_state(model)),
            best=partial(save_variables, work / "best.npz", trainer.network.weights),
        )
        checkpoint, epoch = sum(keep.values()), times["epoch"] * EPOCH_IMAGES / (steps * BATCH)
        note = f"{checkpoint:.2f} s of {epoch + checkpoint:.1f} s, {EPOCH_IMAGES:,} images"
        yield Result(
            f"checkpoint's share of an epoch, {backbone} at {size}", checkpoint / (epoch + checkpoint), note=note
        )


def repeat(model, batch, steps: int) -> None:
    """Train some steps on one batch."""
    for _ in range(steps):
        model.train_on_batch(*batch)


def bench_keras(work: Path, images: PackedImages, quick: bool) -> Iterator[Result]:
    """Compare epochs with plain Keras'."""
    small, more = work / "small", work / "more"
    for backbone, size, target, steps, folder, rounds in (
        ("resnet50", 224, 2.1, STEPS, small, 5),
        ("mobilenet_v2", 224, 2.0, MORE_STEPS, more, 5),
        ("vgg16", 224, 1.0, STEPS, small, 3),
        ("inception_v3", 299, 1.0, STEPS, small, 3),
    ):
        own = make_epoch(backbone, select(images, steps * BATCH), size, work)
        with Peer(peers.make_keras_epoch, backbone=backbone, folder=folder, size=size, batch_size=BATCH) as peer:
            times = alternate(rounds, own=own, peer=peer)
        yield Result(
            f"times faster than plain Keras, {backbone} at {size}",
            times["peer"] / times["own"],
            target,
            note=f"{steps * BATCH} images: {times['own']:.1f} s against {times['peer']:.1f} s",
        )


def bench_torch(work: Path, images: PackedImages, quick: bool) -> Iterator[Result]:
    """Compare epochs with torchvision's recipe, at its better precision."""
    for backbone in ("resnet50", "mobilenet_v2"):
        own = make_epoch(backbone, select(images, MORE_STEPS * BATCH), 224, work)
        theirs = {"backbone": backbone, "folder": work / "more", "size": 224, "batch_size": BATCH}
        make = partial(Peer, peers.make_torch_epoch, **theirs)
        with make(bfloat16=False) as float32, make(bfloat16=True) as bfloat16:
            both = {"float32": float32, "bfloat16": bfloat16}
            first = alternate(1, **both)
            best = min(first, key=first.__getitem__)
            times = alternate(4, own=own, peer=both[best])
        yield Result(
            f"times faster than torchvision, {backbone} at 224",
            times["peer"] / times["own"],
            1.1,
            note=f"{MORE_STEPS * BATCH} images: {times['own']:.1f} s against {times['peer']:.1f} s in {best}",
        )


def bench_precision(work: Path, images: PackedImages, quick: bool) -> Iterator[Result]:
    """Compare bfloat16 with float32, between which the precision `auto` chooses by the device."""
    cases = [(name, 224, 2) for name in ("resnet50", "vgg16", "vgg19", "mobilenet_v2", "inception_v3")]
    for backbone, size, steps in [*cases, ("mobilenet_v2", 96, 8)]:
        held = select(images, steps * 16)
        calls = {
            name: make_epoch(backbone, held, size, work / name, precision=name, batch_size=16)
            for name in ("float32", "mixed_bfloat16")
        }
        times = alternate(3, **calls)
        note = f"{steps * 16} images: {times['mixed_bfloat16']:.1f} s against {times['float32']:.1f} s"
        value = times["float32"] / times["mixed_bfloat16"]
        yield Result(f"times faster in bfloat16 than in float32, {backbone} at {size}", value, note=note)


def bench_folding(work: Path, images: PackedImages, quick: bool) -> Iterator[Result]:
    """Compare inference with batch norms folded into convolutions and with TensorFlow's fused kernel for them."""
    from leukoscope.models.folding import fold_batch_norms

    pixels = images.pixels[select(images, BATCH).rows].astype("float32")
    for backbone, precision in (
        ("resnet50", "mixed_bfloat16"),
        ("resnet50", "float32"),
        ("mobilenet_v2", "mixed_bfloat16"),
        ("mobilenet_v2", "float32"),
        ("inception_v3", "mixed_bfloat16"),
        ("inception_v3", "float32"),
    ):
        fused = make_trainer(backbone, select(images, BATCH), 224, work / precision, precision=precision).network
        folded = fold_batch_norms(fused)
        times = alternate(
            7, fused=partial(fused.predict_on_batch, pixels), folded=partial(folded.predict_on_batch, pixels)
        )
        note = f"{BATCH} images: {times['folded']:.3f} s against {times['fused']:.3f} s"
        name = f"times faster without batch norms, {backbone} in {precision.removeprefix('mixed_')}"
        yield Result(name, times["fused"] / times["folded"], note=note)


def bench_frozen(work: Path, images: PackedImages, quick: bool) -> Iterator[Result]:
    """Compare training the head on kept features with running the frozen base in each epoch, the latter at its best.

    Times are those of all images, divided as by default; since the epochs of a frozen base all cost the same, a few
    stand for thirty. Accuracies are those of smaller images, of which half validate, for several seeds.
    """
    order = np.random.default_rng(0).permutation(len(images))
    training, validation = np.split(order[: int(0.85 * len(order))], [int(0.7 * len(order))])
    ways = {
        "kept": (FROZEN_EPOCHS, {}),
        "float32": (ANEW_EPOCHS, {"feature_views": None, "precision": "float32"}),
        "bfloat16": (ANEW_EPOCHS, {"feature_views": None, "precision": "mixed_bfloat16"}),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(FROZEN_REPEATS):
        for name, (epochs, recipe) in ways.items():
            folder = work / f"{name}-{number}"
            took, history = train_head(images, training, validation, 224, folder, epochs, **recipe)
            seconds[name].append(took + (FROZEN_EPOCHS - epochs) * history["seconds"].iloc[1:].median())
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    kept = medians.pop("kept")
    best = min(medians, key=medians.__getitem__)
    note = (
        f"{kept:.1f} s against {medians[best]:.1f} s in {best}, {FROZEN_EPOCHS} epochs of {len(training)} + "
        f"{len(validation)} images"
    )
    yield Result("times faster with a frozen base's features kept", medians[best] / kept, 8.0, note=note)
    training, validation = np.split(order[:1200], 2)

    def measure_accuracy(name: str, seed: int, **recipe) -> float:
        folder = work / f"{name}-of-{seed}"
        _, history = train_head(images, training, validation, 96, folder, FROZEN_EPOCHS, seed, **recipe)
        return 100 * history["validation_accuracy"].tail(5).mean()

    kept = np.array([measure_accuracy("kept", seed) for seed in range(FROZEN_SEEDS)])
    anew = np.array([measure_accuracy("anew", seed, feature_views=None) for seed in range(FROZEN_SEEDS)])
    error = np.std(anew - kept, ddof=1) / FROZEN_SEEDS**0.5
    what = "real smears" if "LEUKOSCOPE_DATA" in os.environ else "made smears"
    note = f"{kept.mean():.2f} against {anew.mean():.2f} %, {FROZEN_SEEDS} seeds, standard error {error:.2f}; {what}"
    yield Result("points of validation accuracy lost by it", np.mean(anew - kept), 0.5, True, note)


def train_head(
    images: PackedImages,
    training: np.ndarray,
    validation: np.ndarray,
    size: int,
    folder: Path,
    epochs: int,
    seed: int = 0,
    **recipe,
) -> tuple[float, pd.DataFrame]:
    """Train the head of a random MobileNetV2; give the seconds of everything, and the history."""
    labels = images.records.loc[images.records["row"].notna(), "label"].to_numpy()
    classes = np.searchsorted(harness.CLASSES, labels)
    seen, held = (LabelledImages(images.pixels, one, classes[one], np.ones(len(one))) for one in (training, validation))
    trainer = make_trainer(
        "mobilenet_v2",
        seen,
        size,
        folder,
        seed,
        trainable="head",
        epochs=epochs,
        learning_rate=3e-3,
        schedule="cosine",
        dropout=0.2,
        **recipe,
    )
    trainer.validation = held
    started = time.perf_counter()
    trainer.fit()
    return time.perf_counter() - started, trainer.journal.history()


def bench_prediction(work: Path, images: PackedImages, quick: bool) -> Iterator[Result]:
    """Compare predicting from the packed array with `model.predict` on an array in memory, by the same network.

    It is in float32, as saved models are.
    """
    from leukoscope.inference.predictor import Predictor
    from leukoscope.models.network import Classifier

    size, count = (96, 512) if quick else (224, 256)
    trainer = make_trainer("mobilenet_v2", select(images, count), size, work, precision="float32")
    rows = trainer.training.rows
    held = images.pixels[rows]
    predictor = Predictor(Classifier(trainer.network, harness.CLASSES), BATCH)
    times = alternate(
        5,
        own=lambda: predictor.predict(images.pixels, rows),
        peer=lambda: trainer.network.predict(held, batch_size=BATCH, verbose=0),
    )
    note = f"{count / times['own']:.0f} against {count / times['peer']:.0f} images/s"
    yield Result(
        f"prediction / model.predict in memory, mobilenet_v2 at {size}", times["peer"] / times["own"], 0.95, note=note
    )


def bench_memory(work: Path, images: PackedImages, quick: bool) -> Iterator[Result]:
    """Compare the peak memory of an epoch of 50,000 images with one of 2,500.

    Pages of the packed array's file that are in memory are not counted: the system takes them back when it needs them.
    """
    peaks = {}
    for count in (2_500, 50_000):
        command = [sys.executable, __file__, "--peak-of", str(count), "--work", str(work)]
        answer = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks[count] = int(answer.stdout.split()[-1])
    note = f"{peaks[50_000]} MiB against {peaks[2_500]} MiB"
    yield Result("peak memory for 50,000 images / for 2,500", peaks[50_000] / peaks[2_500], 1.1, True, note)


def print_peak(count: int, work: Path) -> None:
    """Train an epoch of generated images at 32 pixels, and print the most memory that was not a file's, in MiB."""
    file = work / f"pixels-{count}.npy"
    if not file.exists():
        made = np.lib.format.open_memmap(file, "w+", np.uint8, (count, 32, 32, 3))
        for start in range(0, count, 2_500):
            made[start : start + 2_500] = np.random.default_rng(start).integers(0, 256, (2_500, 32, 32, 3), np.uint8)
        del made
    pixels = np.load(file, mmap_mode="r")
    rows = np.arange(count)
    run = make_epoch("mobilenet_v2", LabelledImages(pixels, rows, rows % 4, np.ones(count)), 32, work / str(count))
    peak, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            status = Path("/proc/self/status").read_text()
            peak[0] = max(peak[0], int(status.split("RssAnon:")[1].split()[0]))

    thread = threading.Thread(target=watch)
    thread.start()
    run()
    done.set()
    thread.join()
    print(peak[0] // 1024)


BENCHMARKS = {
    "overhead": bench_overhead,
    "prediction": bench_prediction,
    "keras": bench_keras,
    "torch": bench_torch,
    "precision": bench_precision,
    "folding": bench_folding,
    "frozen": bench_frozen,
    "memory": bench_memory,
}
QUICK = ("overhead", "prediction")


def main() -> None:
    """Run the benchmarks, print and keep their results, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="only what takes a few minutes")
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, help="only these")
    parser.add_argument("--peak-of", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak_of:
        print_peak(options.peak_of, options.work)
        return
    import keras
    import page

    if keras.backend.backend() != "tensorflow":
        parser.error(
            f"Keras' backend is {keras.backend.backend()}. Expected tensorflow, under which all of this is compared: "
            f"set KERAS_BACKEND=tensorflow."
        )
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        harness.make_images(work / "small", STEPS * BATCH)
        harness.make_images(work / "more", MORE_STEPS * BATCH)
        chosen = options.only or (QUICK if options.quick else BENCHMARKS)
        source = os.environ.get("LEUKOSCOPE_DATA")
        if not source and "frozen" in chosen:
            source = work / "smears"
            write_smears(source, dict.fromkeys(harness.CLASSES, 400), 224, seed=0)
        images = harness.pack(Path(source or work / "more"), work / "store")
        page.keep(*(BENCHMARKS[one](work, images, options.quick) for one in chosen))


if __name__ == "__main__":
    main()

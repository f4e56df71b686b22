"""How fast the five backbones train on a GPU, beside torchvision's own loop on the same GPU in the same run.

    KERAS_BACKEND=jax python benchmarks/bench_gpu.py
    KERAS_BACKEND=torch python benchmarks/bench_gpu.py --models resnet50 vgg16

An epoch has 2,279 images, as the published study's; each backbone takes images of its own size. Both sides train in
bfloat16, torchvision by autocast, with `torch.compile` and channels last. Python's own share of a step is in both sides
of `epoch / steps`: see it in a profiler.
"""

import argparse
import os
import tempfile
from functools import partial
from pathlib import Path

# torchvision's loop needs memory too
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

import harness
import keras
import page
import peers
from bench_training import EPOCH_IMAGES, make_trainer, select
from clock import time_epochs
from harness import Result

from leukoscope.backend import device
from leukoscope.models import architecture

REPEATS = 3
COMPARED = ("resnet50", "vgg16", "vgg19", "mobilenet_v2", "inception_v3")


class HeldBatches(keras.utils.PyDataset):
    """As many batches as an epoch has, which the device holds already: what is left of the epoch without its input."""

    def __init__(self, batches) -> None:
        super().__init__()
        ends = (batches[0], batches[len(batches) - 1])
        first, last = (keras.tree.map_structure(keras.ops.convert_to_tensor, batch) for batch in ends)
        self._batches = [first] * (len(batches) - 1) + [last]

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, number: int):
        """Give a batch."""
        return self._batches[number]


def main() -> None:
    """Run the comparison, print and keep its results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=COMPARED, default=COMPARED, help="only these")
    options = parser.parse_args()
    if not device.sees_cuda():
        raise SystemExit(f"{keras.backend.backend()} sees no GPU here. Expected one; is the extra for GPUs installed?")
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        if keras.backend.backend() == "jax":  # which would compile the network that has no input as well
            import jax

            jax.config.update("jax_compilation_cache_dir", str(work / "compiled"))
        harness.make_images(work / "images", EPOCH_IMAGES)
        images = select(harness.pack(work / "images", work / "store"), EPOCH_IMAGES)
        for backbone in options.models:
            row = architecture.get(backbone)
            trainer = make_trainer(
                backbone, images, row.input_size, work, batch_size=row.batch_size, precision="mixed_bfloat16"
            )
            (model, batches, _), (held, _, _) = (trainer.assemble(trainer.recipe.phases[0]) for _ in range(2))
            steps = partial(time_epochs, held, HeldBatches(batches))
            with peers.Peer(
                peers.make_torch_epoch,
                backbone=backbone,
                folder=work / "images",
                size=row.input_size,
                batch_size=row.batch_size,
                bfloat16=True,
                device="cuda",
                compiled=True,
            ) as peer:
                times = harness.alternate_with_epochs(model, batches, REPEATS, steps=steps, peer=peer)
            where = f"{backbone} at {row.input_size}, {keras.backend.backend()} on {device.describe_device()}"
            note = (
                f"{times['epoch']:.2f} s an epoch, {EPOCH_IMAGES / times['epoch']:.0f} images/s; {times['peer']:.2f} s"
            )
            most = 1.5 if backbone == "resnet50" else None
            results = [
                Result(f"times faster than torchvision, {where}", times["peer"] / times["epoch"], 1.0, note=note),
                Result(
                    f"epoch / steps on a batch that the device has, {where}", times["epoch"] / times["steps"], 1.1, True
                ),
                Result(f"seconds an epoch, {where}", times["epoch"], most, True),
            ]
            for result in results:
                page.show(result)
            harness.write(results)
    page.write()


if __name__ == "__main__":
    main()

"""Where the time of training ResNet50 in bfloat16 goes, here and in torchvision's loop: what bounds either.

    python benchmarks/profile_step.py

Each side runs in a process of its own under its library's profiler. The seconds of each kind of operation are kept in
`benchmarks/results/profile.json`, of which `make bench` makes a table.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as the project's settings do
os.environ["TF_NUM_INTEROP_THREADS"] = "1"  # no two operations at once: their times add up to the step's

import bench_training
import harness
import page
import peers

BACKBONE, SIZE, STEPS = "resnet50", 224, 4
# What an operation belongs to: the first whose word is in its name, in TensorFlow's and torch's terms.
KINDS = {
    "convolutions, backward": ("Conv2DBackprop", "convolution_backward"),
    "convolutions, forward": ("Conv2D", "convolution"),
    "batch norm": ("BatchNorm", "batch_norm"),
    "rectified units": ("Relu", "relu", "threshold", "clamp_min"),
}
OTHERS = "everything else"


def profile_own(work: Path) -> Counter[str]:
    """Give the seconds of each of TensorFlow's operations in some steps of the project's training."""
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    images = harness.pack(work / "images", work / "store")
    run = bench_training.make_epoch(BACKBONE, bench_training.select(images, STEPS * bench_training.BATCH), SIZE, work)
    run()
    tf.profiler.experimental.start(str(work / "profile"))
    run()
    tf.profiler.experimental.stop()
    space = xplane_pb2.XSpace()
    space.ParseFromString(next((work / "profile").rglob("*.xplane.pb")).read_bytes())
    seconds = Counter[str]()
    for plane in space.planes:
        for line in plane.lines:
            # What computes; Python's line has the same time once more, as waiting.
            if line.name.startswith("tf_Compute"):
                for event in line.events:
                    name = plane.event_metadata[event.metadata_id].name
                    if not name.startswith("ExecutorState"):
                        seconds[name.rsplit(":", 1)[-1]] += event.duration_ps / 1e12
    return seconds


def profile_torchvision(work: Path) -> Counter[str]:
    """Give the seconds of each of torch's operations in as many steps of torchvision's loop."""
    from torch import profiler

    run = peers.make_torch_epoch(BACKBONE, work / "images", SIZE, bench_training.BATCH, bfloat16=True)
    run()
    with profiler.profile(activities=[profiler.ProfilerActivity.CPU]) as profile:
        run()
    names = ((one.key, one.self_cpu_time_total / 1e6) for one in profile.key_averages())
    return Counter({name: seconds for name, seconds in names if name.startswith("aten::")})


def sum_by_kind(seconds: Counter[str]) -> dict[str, float]:
    """Give the seconds of each kind of operation in one step."""
    sums = dict.fromkeys([*KINDS, OTHERS], 0.0)
    for name, one in seconds.items():
        kind = next((kind for kind, words in KINDS.items() if any(word in name for word in words)), OTHERS)
        sums[kind] += one / STEPS
    return sums


SIDES: dict[str, Callable[[Path], Counter[str]]] = {"leukoscope": profile_own, "torchvision": profile_torchvision}


def main() -> None:
    """Profile both sides, and print and keep what each kind of operation takes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--of", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.of:
        with tempfile.TemporaryDirectory() as name:
            harness.make_images(Path(name) / "images", STEPS * bench_training.BATCH)
            print(json.dumps(sum_by_kind(SIDES[options.of](Path(name)))))
        return
    sums = {}
    for side in SIDES:
        done = subprocess.run([sys.executable, __file__, "--of", side], check=True, stdout=subprocess.PIPE, text=True)
        sums[side] = json.loads(done.stdout.splitlines()[-1])
    harness.write_profile(sums)
    for kind in [*KINDS, OTHERS]:
        print(f"{kind:<24}" + "".join(f"{side:>14} {sums[side][kind]:5.2f} s" for side in SIDES))
    page.write()


if __name__ == "__main__":
    main()

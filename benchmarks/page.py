"""From the kept results to a table, a figure and the page `docs/performance.md`."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import harness
from harness import PROFILE, RESULTS, Result
from matplotlib.figure import Figure

from leukoscope.figures import colours

DOCS = Path(__file__).parents[1] / "docs"
TEXT = """# Performance

The latest results of `make bench` (`make bench-quick` takes a few minutes). Each line compares two things, run
alternately, and gives the ratio of the medians; memory is measured once, in a separate process for each. Each machine
has its own table, in the order of the figure's numbers. `benchmarks/` has the code, `benchmarks/results/latest.json`
the figures with the day and the machine of each. Timings on a shared machine are noisy; the ratios less so.

{tables}

![Each figure beside its target](images/performance.png)

The peers are what a user would write: plain Keras is `image_dataset_from_directory`, one random layer per
transformation, float32 and `fit`, without XLA, which would make it slower on a CPU; torchvision is its model in a
plain PyTorch loop with a `DataLoader`, channels last, in float32 or with bfloat16 autocast, whichever was faster.
Leukoscope uses the precision that it chooses by default: bfloat16 on a CPU with instructions for it; separate lines
show how much this contributes to a ratio. Its epochs here have no validation, and the checkpoint has a separate line.
The memory of training excludes the pages of the packed array's file, which the system reclaims when it needs them (32
pixels, an epoch without validation).

Plain Keras' `fit` was observed to return well after the last step, without using the processor, at 5.12, 10.24,
20.48, 40.96 or 81.92 s: apparently it waits for a `tf.data` thread whose period doubles from 10 ms on. Its epochs are
timed to the last step, and Leukoscope's until `fit` returns.

## What limits a step of ResNet50

Most of a step is spent in oneDNN's convolutions, which TensorFlow and PyTorch both call, each in its own version. Time
of all operations in a training step of 32 images in bfloat16, run one after another, by each library's own profiler,
mean of four steps (`python benchmarks/profile_step.py`, {profiled}):

{profile}

Faster convolutions would have to come from oneDNN. The filter gradient of 512 convolutions of 3 x 3 on 7 x 7 x 512, 32
images, took 38 ms in TensorFlow and 25 ms in PyTorch, with a kernel of the same name (`jit_bf16:avx512_core_bf16`;
`ONEDNN_VERBOSE=1`, by hand, on two cores of an AMD EPYC). Computing them as matrix products made such gradients little
faster, and 1 x 1 convolutions not at all. Running one operation at a time, instead of two, made the step 4 % slower.

## GPUs

`python benchmarks/bench_gpu.py` compares the five backbones with torchvision on a GPU, with the backend that
`KERAS_BACKEND` names: both sides in bfloat16, torchvision's models compiled, and its VGGs with a head as small as
Leukoscope's. Lines above that name a GPU come from it; if there are none, it has not been run to completion. Each
model takes a few minutes, most of which is compilation.

By hand, ResNet50 at 224 pixels on an NVIDIA H200 (Keras 3.15, mixed_bfloat16, batches of 32, 2,279 images, three
epochs each after two): 0.72 to 1.12 s per epoch with JAX 0.11, after 88 s for building and compiling; 17.2 to 18.1 s
with PyTorch 2.11, which launched every small operation from Python, and 8.9 to 10.9 s once it launched a third as
many, both measured while the other backend was running on the same GPU. JAX or TensorFlow is therefore preferable
there. `JAX_COMPILATION_CACHE_DIR` names a folder where JAX caches compiled programs for the next run.
"""


def show(result: Result) -> None:
    """Print a result as a line."""
    print(
        f"{result.name:<62} {result.value:7.3f}  {_target(result.target, result.at_most):>10}  {_met(result.met):<4} "
        f"{result.note}",
        flush=True,
    )


def keep(*benchmarks: Iterable[Result]) -> None:
    """Show and keep each result as soon as it is there, and write the page at the end."""
    for results in benchmarks:
        for result in results:
            show(result)
            harness.write([result])
    write()


def write() -> None:
    """Write the page and its figure from all that was kept."""
    results = json.loads(RESULTS.read_text())
    machines = dict.fromkeys(one["machine"] for one in results)
    tables = "\n\n".join(_tabulate([one for one in results if one["machine"] == name], name) for name in machines)
    (DOCS / "performance.md").write_text(TEXT.format(tables=tables, **_tabulate_profile()))
    draw([one for one in results if one["target"] is not None]).savefig(DOCS / "images/performance.png", dpi=110)


def _tabulate(results: list[dict[str, Any]], machine: str) -> str:
    rows = [
        f"| {one['name']} | {one['value']:.3g} | {_target(one['target'], one['at_most'])} | {_met(one['met'])} | "
        f"{one['note']} | {one['date']} |"
        for one in results
    ]
    head = [f"## {machine}", "", "| what | value | target | met | from | day |", "|---|---|---|---|---|---|"]
    return "\n".join([*head, *rows])


def _tabulate_profile() -> dict[str, str]:
    if not PROFILE.is_file():
        return {"profiled": "not run yet", "profile": ""}
    facts = json.loads(PROFILE.read_text())
    sides = facts["seconds"]
    kinds = next(iter(sides.values()))
    totals = {side: sum(one.values()) for side, one in sides.items()}
    head = [f"| | {' | '.join(sides)} |", "|---|" + "---|" * len(sides)]
    rows = [
        f"| {kind} | "
        + " | ".join(f"{one[kind]:.2f} s, {100 * one[kind] / totals[side]:.0f} %" for side, one in sides.items())
        + " |"
        for kind in kinds
    ]
    return {"profiled": f"{facts['machine']}, {facts['date']}", "profile": "\n".join([*head, *rows])}


def draw(results: list[dict[str, Any]]) -> Figure:
    """Draw how far each figure is beyond its target, or short of it: 1 is the target itself, more is better.

    Of several machines each has a bar of its own, with a number for the machine.
    """
    margins = [
        one["target"] / max(one["value"], 1e-3) if one["at_most"] else one["value"] / one["target"] for one in results
    ]
    # Shares and points near zero would dwarf the rest.
    margins = [min(max(margin, 0.3), 4.0) for margin in margins]
    figure = Figure(figsize=(9, 0.42 * len(results) + 1.2), layout="constrained")
    axes = figure.subplots()
    shades = [colours.BLUE if one["met"] else colours.VERMILION for one in results]
    axes.barh(range(len(results)), margins, color=shades)
    axes.axvline(1, color="black", lw=1)
    machines = list(dict.fromkeys(one["machine"] for one in results))
    number = {name: f" [{place}]" if len(machines) > 1 else "" for place, name in enumerate(machines, start=1)}
    axes.set_yticks(range(len(results)), [one["name"] + number[one["machine"]] for one in results])
    axes.invert_yaxis()
    axes.set(xlabel="times its target; 1 or more meets it (cut at 4)", xlim=(0, 4.1))
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _target(target: float | None, at_most: bool) -> str:
    return "" if target is None else f"{'≤' if at_most else '≥'} {target:g}"


def _met(met: bool | None) -> str:
    return "" if met is None else "yes" if met else "NO"

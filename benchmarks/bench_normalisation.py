"""What stain normalisation does: to a small network under changes of the stain, and to what colour alone tells.

``python benchmarks/bench_normalisation.py network --data data/demo`` trains networks that differ in nothing else,
on images that ingestion has packed and splitting has divided; ``... colour --data data`` judges colours of the
same images, as they are and normalised, as the audit does.
"""

import itertools
import logging
import tempfile
from pathlib import Path

import click
import numpy as np
import pandas as pd

from leukoscope.features.colour import count_colours
from leukoscope.features.macenko import FITTED_BY, MacenkoTarget, normalise_dyes
from leukoscope.features.normalisation import StainTarget, normalise
from leukoscope.images.packed import PackedImages
from leukoscope.images.perturbations import PERTURBATIONS, perturb

CHANGES = (("stain", 0.4), ("restain", 0.4), ("hue", 30), ("hue", 90), ("grey", 1.0), ("brightness", 0.3), ("blur", 3))
ARCHITECTURE = "four_layer_cnn_unmasked"
SEED = 1


def open_data(data: Path) -> tuple[PackedImages, pd.DataFrame]:
    """Open the packed images of an environment, and its splits."""
    return PackedImages(data / "02_intermediate/smears"), pd.read_parquet(data / "05_model_input/splits.parquet")


def list_versions(pixels: np.ndarray) -> dict[str, np.ndarray]:
    """Give images as they are, and changed as the robustness of every model is measured."""
    changed = {f"{name} {level:g}": perturb(pixels, PERTURBATIONS[name], level, SEED) for name, level in CHANGES}
    return {"unchanged": pixels} | changed


def train(  # type: ignore[no-untyped-def]
    smears: PackedImages,
    splits: pd.DataFrame,
    target: StainTarget | MacenkoTarget | None,
    side: int,
    epochs: int,
    seed: int,
):
    """Train a network, with the target of its images or without."""
    from leukoscope.training.journal import TrainingJournal
    from leukoscope.training.labelled import LabelledImages
    from leukoscope.training.recipe import Recipe, RecipeDifferences, resolve_recipe
    from leukoscope.training.trainer import Trainer

    names = sorted(splits["label"].unique())
    plan = splits.assign(repeats=1, weight=1.0)
    images = [LabelledImages.from_plan(smears, plan[plan["split"] == name], names) for name in ("train", "validation")]
    shared = Recipe(weights="none", input_size=side, batch_size=16, epochs=epochs, learning_rate=1e-3, dropout=0.1)
    own = RecipeDifferences(schedule="cosine", warmup_epochs=1, patience=None, precision="float32")
    recipe = resolve_recipe(ARCHITECTURE, shared, own).model_copy(update={"stain_target": target})
    geometry = {"horizontal_flip": True, "vertical_flip": True, "rotation": 10.0, "zoom": 0.05, "shift": 0.05}
    with tempfile.TemporaryDirectory() as folder:
        journal = TrainingJournal(Path(folder, "journal"))
        journal.start({})
        return Trainer(ARCHITECTURE, recipe, names, *images, geometry, journal, seed).fit()


@click.group()
def main() -> None:
    """Measure stain normalisation."""
    logging.basicConfig(level=logging.WARNING)


@main.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True), default="data/demo")
@click.option("--side", default=48)
@click.option("--epochs", default=25)
@click.option("--seeds", default=2)
def network(data: Path, side: int, epochs: int, seeds: int) -> None:
    """Train networks without and with each method, and print accuracies on images that chose nothing.

    These are those of test and validation.
    """
    smears, splits = open_data(data)
    rows = smears.rows(splits.loc[splits["split"] == "train", "image_id"])
    targets = {"without": None} | {name: fit(smears.pixels[row] for row in rows) for name, fit in FITTED_BY.items()}
    judged = splits[splits["split"] != "train"]
    versions = list_versions(smears.pixels[smears.rows(judged["image_id"])])
    truth = judged["label"].to_numpy()
    hits: dict[str, dict[str, list[np.ndarray]]] = {name: {kind: [] for kind in targets} for name in versions}
    for seed in range(seeds):
        for kind, chosen in targets.items():
            classifier = train(smears, splits, chosen, side, epochs, seed)
            for name, pixels in versions.items():
                predicted = classifier.predict(pixels).probabilities.argmax(axis=1)
                hits[name][kind].append(np.array(classifier.class_names)[predicted] == truth)
            click.echo(f"seed {seed}, {kind}: {hits['unchanged'][kind][-1].mean():.3f}")
    click.echo(f"{len(judged)} images, {seeds} seeds, means over seeds, 95 % intervals of the difference over images")
    rng = np.random.default_rng(SEED)
    groups, number = np.unique(judged["group"], return_inverse=True)
    for (name, of), kind in itertools.product(hits.items(), FITTED_BY):
        gains = np.mean(of[kind], axis=0) - np.mean(of["without"], axis=0)
        sums, sizes = np.bincount(number, gains), np.bincount(number)
        draws = rng.integers(len(groups), size=(5000, len(groups)))
        low, high = np.quantile(sums[draws].sum(axis=1) / sizes[draws].sum(axis=1), [0.025, 0.975])
        means = f"{np.mean(of['without']):.3f} {np.mean(of[kind]):.3f}"
        click.echo(f"{name:16} {kind:8} {means} difference {gains.mean():+.3f} ({low:+.3f} to {high:+.3f})")


@main.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True), default="data")
@click.option("--trees", default=60)
@click.option("--clusters", default=60, help="Appearance clusters, of the images as they are.")
@click.option("--embargo", default=37)
def colour(data: Path, trees: int, clusters: int, embargo: int) -> None:
    """Judge how far stain colour alone gets under the audit's protocols, on images as they are and normalised.

    The target is that of all images: their labels play no part in it.
    """
    from leukoscope.audit.ladder import Ladder
    from leukoscope.images import grouping

    smears = PackedImages(data / "02_intermediate/smears")
    manifest = pd.read_parquet(data / "02_intermediate/manifest.parquet")
    images = grouping.select_accepted(manifest)
    rows = smears.rows(images["image_id"])
    seen = {"colour_histogram": count_colours(smears.pixels, rows)}
    for name, change in (("reinhard", normalise), ("macenko", normalise_dyes)):
        target = FITTED_BY[name](smears.pixels[row] for row in rows[:: max(1, len(rows) // 256)])
        normalised = np.stack([change(smears.pixels[row], target).round().astype(np.uint8) for row in rows])
        seen[name] = count_colours(normalised, np.arange(len(rows)))
    protocols = {
        "duplicate": images["group"],
        "appearance": grouping.group_by_appearance(images, smears, clusters, SEED),
    }
    ladder = Ladder(tuple(sorted(images["label"].unique())), 5, trees, 0.95, SEED)
    tables = [ladder.climb(images, seen, protocols), ladder.climb_series(images, seen, [embargo])]
    columns = ["protocol", "embargo", "predictor", "accuracy", "low", "high", "images", "groups"]
    click.echo(pd.concat(tables)[columns].round(3).to_string(index=False))


if __name__ == "__main__":
    main()

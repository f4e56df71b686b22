import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import distance_transform_edt, gaussian_filter
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_score
from sklearn.tree import DecisionTreeClassifier

from leukoscope.core.errors import InputError
from leukoscope.synthetic import CLASSES, Stain, draw_smear, draw_smear_with_cells, smears, write_smears
from leukoscope.synthetic.cells import FIELD, POPULATIONS, arrange_field

PLAIN = Stain(hues=(0.5, 0.5, 0.5), strengths=(0.5, 0.5, 0.5), tint=0.5)


def rng(*seed):
    return np.random.default_rng(seed)


def read(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.jpg")}


def colour_accuracy(folder):
    """Of a forest that sees 32 bins of each colour channel, cross-validated."""
    paths = sorted(folder.rglob("*.jpg"))
    images = [np.asarray(Image.open(path)) for path in paths]
    bins = [np.concatenate([np.histogram(image[..., c], 32, (0, 256))[0] for c in range(3)]) for image in images]
    labels = [path.parent.name for path in paths]
    return cross_val_score(RandomForestClassifier(200, random_state=0), bins, labels, cv=5).mean()


@pytest.mark.parametrize("label", CLASSES)
@pytest.mark.parametrize("size", [32, 65, 224, 512])
def test_smears_come_in_all_sizes(label, size):
    image = draw_smear(label, rng(0), size)

    assert image.shape == (size, size, 3)
    assert image.dtype == np.uint8
    assert image.std() > 10


def test_every_size_shows_the_same_cells():
    small, large = (draw_smear("Early", rng(3), size, PLAIN)[..., 1] for size in (96, 384))
    shrunk = large.reshape(96, 4, 96, 4).mean((1, 3))

    assert np.corrcoef(small.ravel(), shrunk.ravel())[0, 1] > 0.9


@pytest.mark.parametrize("label", CLASSES)
def test_what_lies_outside_of_the_part_that_is_shown_need_not_be_drawn(label, monkeypatch):
    seeds = range(4)
    shown = [draw_smear(label, rng(seed), 64, magnification=3.0) for seed in seeds]
    monkeypatch.setattr(smears, "_select_shown", lambda field, size, whole: field)
    assert all((draw_smear(label, rng(seed), 64, magnification=3.0) == shown[seed]).all() for seed in seeds)


def test_the_seed_decides():
    assert (draw_smear("Pre", rng(1), 64) == draw_smear("Pre", rng(1), 64)).all()
    assert (draw_smear("Pre", rng(1), 64) != draw_smear("Pre", rng(2), 64)).mean() > 0.5


def test_files_depend_on_neither_workers_nor_other_classes_nor_counts(tmp_path):
    write_smears(tmp_path / "one", {"Benign": 3, "Pro": 4}, 48, seed=5, workers=1)
    write_smears(tmp_path / "many", {"Pro": 2, "Early": 1, "Benign": 3}, 48, seed=5, workers=7)
    one, many = read(tmp_path / "one"), read(tmp_path / "many")

    assert set(one) - set(many) == {"Original/Pro/smear-pro-0003.jpg", "Original/Pro/smear-pro-0004.jpg"}
    assert set(many) - set(one) == {"Original/Early/smear-early-0001.jpg"}
    assert all(one[name] == many[name] for name in set(one) & set(many))
    assert len(set(one.values())) == len(one)


def test_another_seed_draws_other_files(tmp_path):
    for seed in (0, 1):
        write_smears(tmp_path / str(seed), {"Pre": 2}, 32, seed)

    assert not set(read(tmp_path / "0").values()) & set(read(tmp_path / "1").values())


def test_classes_differ_in_their_nuclei():
    fields = {label: [arrange_field(label, rng(0, i)) for i in range(30)] for label in CLASSES}
    radius = {label: np.mean([np.median(f.nuclei["radius"]) for f in fields[label]]) for label in CLASSES}
    clumping = {label: np.mean([np.median(f.nuclei["clumping"]) for f in fields[label]]) for label in CLASSES}
    filled = {
        label: np.mean([(f.nuclei["radius"] ** 2).sum() / (f.cytoplasm["radius"] ** 2).sum() for f in fields[label]])
        for label in CLASSES
    }

    assert radius["Benign"] + 2 < radius["Early"] < min(radius["Pre"], radius["Pro"]) - 2
    assert clumping["Pre"] > 2 * max(clumping[label] for label in CLASSES if label != "Pre")
    assert filled["Pro"] < filled["Pre"] - 0.2 < filled["Early"] - 0.2


def test_larger_nuclei_are_seen():
    """The larger a nucleus, the farther its middle is from the next bright pixel."""

    def reach(label, i):
        smooth = gaussian_filter(draw_smear(label, rng(i), 224, PLAIN)[..., 1].astype(float), 2)
        return np.quantile(distance_transform_edt(smooth < 140), 0.995)

    reaches = {label: np.mean([reach(label, i) for i in range(12)]) for label in CLASSES}

    assert reaches["Benign"] + 1 < reaches["Early"] < reaches["Pre"] - 1


def test_the_count_of_white_cells_says_little():
    labels = np.repeat(CLASSES, 150)
    counts = [[len(arrange_field(label, rng(0, i)).cytoplasm)] for i, label in enumerate(labels)]

    assert cross_val_score(DecisionTreeClassifier(max_leaf_nodes=6, random_state=0), counts, labels, cv=5).mean() < 0.45


def test_every_field_shows_its_class():
    for label in CLASSES:
        kind = POPULATIONS[label].kinds[0]
        for i in range(20):
            first = arrange_field(label, rng(i)).nuclei[0]
            assert abs(first["radius"] / kind.radius - 1) <= 0.21
            assert -5 <= first["centre"].real <= FIELD + 5


@pytest.mark.slow
def test_colour_gives_the_class_away_only_when_confounded(tmp_path):
    counts = dict.fromkeys(CLASSES, 50)
    write_smears(tmp_path / "fair", counts, 64, seed=0)
    write_smears(tmp_path / "confounded", counts, 64, seed=0, confounded=True)

    assert colour_accuracy(tmp_path / "fair") < 0.6
    assert colour_accuracy(tmp_path / "confounded") > 0.95


def test_a_stain_without_a_look_uses_the_whole_range():
    stains = [Stain.draw(rng(i)) for i in range(200)]
    figures = np.array([[*stain.hues, *stain.strengths, stain.tint] for stain in stains])

    assert figures.min(axis=0).max() < 0.1
    assert figures.max(axis=0).min() > 0.9
    assert np.abs(np.corrcoef(figures.T) - np.eye(7)).max() < 0.3


def test_an_unknown_class_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(InputError, match=r"'Late'.*Benign, Early, Pre, Pro"):
        write_smears(tmp_path / "smears", {"Early": 1, "Late": 1}, 64, seed=0)
    with pytest.raises(InputError, match="Late"):
        draw_smear("Late", rng(0))

    assert not list(tmp_path.iterdir())


def test_a_size_too_small_is_refused():
    with pytest.raises(InputError, match="32 or more"):
        draw_smear("Early", rng(0), 31)


def test_importing_is_cheap():
    code = "import sys, leukoscope.synthetic; print([m for m in ('keras', 'sklearn', 'pandas') if m in sys.modules])"

    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


@pytest.mark.parametrize("label", CLASSES)
def test_a_smear_with_its_cells_is_the_same_smear(label):
    drawn = draw_smear_with_cells(label, rng(5), 96, magnification=3.0)

    assert (drawn.image == draw_smear(label, rng(5), 96, magnification=3.0)).all()
    assert drawn.cells.shape == drawn.nuclei.shape == (96, 96)


def test_cells_are_where_they_were_drawn():
    drawn, field = draw_smear_with_cells("Pro", rng(4), 224, PLAIN), arrange_field("Pro", rng(4))
    numbers = np.unique(drawn.cells[drawn.cells > 0])

    assert len(numbers) >= 3
    for number in numbers:
        disc = field.cytoplasm[number - 1]
        places = np.argwhere(drawn.cells == number)
        inside = (places.min() > 0) & (places.max() < 223)
        assert (drawn.cells[drawn.nuclei == number] == number).all()
        if inside:
            assert places.mean(axis=0) == pytest.approx([disc["centre"].imag, disc["centre"].real], abs=3)
            assert len(places) == pytest.approx(np.pi * disc["radius"] ** 2, rel=0.2)
    assert drawn.image[drawn.nuclei > 0].mean() < drawn.image[drawn.cells == 0].mean() - 40


def test_lobes_belong_to_their_cell():
    field = arrange_field("Benign", rng(1))

    assert len(field.owners) == len(field.nuclei) > len(field.cytoplasm)
    for disc, owner in zip(field.nuclei, field.owners, strict=True):
        assert abs(disc["centre"] - field.cytoplasm["centre"][owner]) < field.cytoplasm["radius"][owner]


def test_cells_can_be_drawn_to_touch():
    fields = [arrange_field("Early", rng(i), touching=0.6) for i in range(10)]
    pairs = 0
    for field in fields:
        centres, radii = field.cytoplasm["centre"], field.cytoplasm["radius"]
        gaps = np.abs(centres[:, None] - centres) - radii[:, None] - radii
        pairs += (np.triu(gaps < 0, 1)).sum()

    assert pairs > 3 * len(fields)
    assert all(len(field.cytoplasm) == len(arrange_field("Early", rng(i)).cytoplasm) for i, field in enumerate(fields))


@pytest.mark.parametrize("label", CLASSES)
def test_a_smear_says_what_each_of_its_cells_is(label):
    drawn = draw_smear_with_cells(label, rng(2), 224, PLAIN)
    names = [kind.name for kind in drawn.kinds]

    assert drawn.cells.max() <= len(names)
    assert names[0] == POPULATIONS[label].kinds[0].name
    assert any(kind.is_blast for kind in drawn.kinds) == (label != "Benign")


@pytest.mark.parametrize("label", ["Early", "Pre", "Pro"])
def test_normal_cells_can_be_mixed_in_among_the_blasts(label):
    fields = [arrange_field(label, rng(i), others=0.5) for i in range(40)]
    share = np.mean([not kind.is_blast for field in fields for kind in field.kinds])
    names = {kind.name for field in fields for kind in field.kinds if not kind.is_blast}

    assert 0.35 < share < 0.65
    assert names == {kind.name for kind in POPULATIONS["Benign"].kinds}
    assert all(field.kinds[0].is_blast for field in fields)
    few = np.mean([not kind.is_blast for i in range(40) for kind in arrange_field(label, rng(i)).kinds])
    assert few < 0.2


def test_a_benign_smear_has_nothing_mixed_in():
    mixed, plain = (draw_smear_with_cells("Benign", rng(3), 64, others=others) for others in (0.5, None))

    assert (mixed.image == plain.image).all()


def test_a_seed_draws_the_smears_that_it_always_drew():
    """Sums of their pixels, as the version before normal cells could be mixed in had them; rounding may differ."""
    sums = {label: int(draw_smear(label, rng(7), 64, PLAIN).sum()) for label in CLASSES}

    assert sums == pytest.approx({"Benign": 2667735, "Early": 2429861, "Pre": 2443580, "Pro": 2599687}, abs=100)

import numpy as np
import pytest

from leukoscope.images.field_checks import CHECKS, check_fields
from leukoscope.images.perturbations import OUTLIERS, perturb
from leukoscope.synthetic import CLASSES, Stain, draw_smear

STAIN = Stain(hues=(0.5, 0.5, 0.5), strengths=(0.5, 0.5, 0.5), tint=0.5)
NAMES = [check.name for check in CHECKS]
PURPLE, PALE = (110, 60, 150), (245, 243, 240)


def check(image: np.ndarray) -> dict[str, float]:
    return dict(zip(NAMES, check_fields(image[None])[0].tolist(), strict=True))


def draw_discs(number: int, side: int, colour=PURPLE) -> np.ndarray:
    """A pale field with so many discs of one colour, a twelfth of the side in radius."""
    field = np.full((side, side, 3), PALE, np.uint8)
    rows, columns = np.mgrid[:side, :side] / side
    for n in range(number):
        centre = (n // 4 + 0.5) / 4, (n % 4 + 0.5) / 4
        field[np.hypot(rows - centre[0], columns - centre[1]) < 1 / 12] = colour
    return field


@pytest.mark.parametrize("side", [48, 96, 224, 512])
@pytest.mark.parametrize("number", [1, 3, 9, 16])
def test_every_stained_cell_is_counted(side, number):
    assert check(draw_discs(number, side))["log_cells"] == pytest.approx(np.log(number + 1))


def test_a_red_cell_is_no_stained_nucleus():
    # Haemoglobin and eosin let red light pass.
    assert check(draw_discs(9, 96, colour=(235, 150, 160)))["log_cells"] == 0


@pytest.mark.parametrize("side", [48, 224])
def test_stain_and_colours_are_those_of_the_discs(side):
    found = check(draw_discs(16, side))
    light, dark = (np.log10(256 / (np.array(colour) + 1)) for colour in (PALE, PURPLE))
    assert found["log_contrast"] == pytest.approx(np.log10((dark - light).mean() + 0.01), abs=0.01)
    share = (dark - light) / (dark - light).sum()
    assert found["red_share"] == pytest.approx(share[0], abs=0.02)
    assert found["blue_share"] == pytest.approx(share[2], abs=0.02)


def test_sharpness_is_the_variance_of_the_laplacian_over_that_of_the_field():
    board = np.where(np.indices((48, 48)).sum(axis=0) % 2, 255, 99).astype(np.uint8)
    # Each pixel of a chessboard is four differences away from its four neighbours, and half of one from the mean.
    expected = np.log10(16 * np.log10(256 / 100) ** 2 / (np.log10(256 / 100) / 2) ** 2)
    assert check(np.repeat(board[..., None], 3, axis=2))["log_sharpness"] == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("side", [48, 96, 224])
def test_outliers_are_off_in_what_they_are_made_for(side):
    smears = np.stack([draw_smear(name, np.random.default_rng(n), side, STAIN) for n, name in enumerate(CLASSES * 3)])
    usual = check_fields(smears)
    low, high = usual.min(axis=0), usual.max(axis=0)
    for kind, name, below in (
        ("blurred", "log_sharpness", True),
        ("no_cells", "log_cells", True),
        ("no_cells", "log_contrast", True),
        ("other_stain", "red_share", True),
        ("other_stain", "blue_share", False),
    ):
        made = check_fields(perturb(smears, OUTLIERS[kind], OUTLIERS[kind].levels[0], seed=1))[:, NAMES.index(name)]
        column = NAMES.index(name)
        assert (made < low[column] if below else made > high[column]).all(), (kind, name)


@pytest.mark.parametrize("side", [48, 63, 96, 224, 512])
def test_any_image_gives_finite_numbers(side, rng):
    noise = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
    flat = [np.full((side, side, 3), value, np.uint8) for value in (0, 1, 128, 254, 255)]
    one_pixel = flat[0].copy()
    one_pixel[side // 2, side // 2] = 255
    step = flat[4].copy()
    step[: side // 2] = 0
    checks = check_fields(np.stack([*flat, noise, 255 * (noise // 128), one_pixel, step]))
    assert checks.shape == (9, len(CHECKS))
    assert checks.dtype == np.float32
    assert np.isfinite(checks).all()


def test_rows_are_checked_in_their_order(rng):
    fields = rng.integers(0, 256, (4, 48, 48, 3), dtype=np.uint8)
    assert np.array_equal(check_fields(fields, np.array([2, 0])), check_fields(fields)[[2, 0]])
    assert check_fields(fields, np.array([], int)).shape == (0, len(CHECKS))

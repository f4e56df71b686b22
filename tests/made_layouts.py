"""Folders laid out as public data sets describe theirs, with cells that the tests draw."""

from pathlib import Path

import numpy as np
from PIL import Image

from leukoscope.synthetic import draw_smear

SIDE = 48


def draw_cell(seed: int, dark: int = 90, side: int = SIDE) -> np.ndarray:
    """Draw one cell that was cut out, on exact black, as ``uint8 [side, side, 3]``."""
    rng = np.random.default_rng(seed)
    down, right = np.mgrid[:side, :side] - side / 2
    inside = (down / rng.uniform(0.6, 1)) ** 2 + (right / rng.uniform(0.6, 1)) ** 2 < (side / 3) ** 2
    cell = rng.normal([dark + 60, dark, dark + 80], 12, (side, side, 3)).clip(1, 255)
    return np.where(inside[..., None], cell, 0).astype(np.uint8)


def write_image(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def write_cnmc(root: Path, leukemia: int = 2, healthy: int = 2, cells: int = 2) -> Path:
    """Write so many subjects of either kind with so many cells each, as of C-NMC's training data."""
    for number in range(1, leukemia + healthy + 1):
        kind = "all" if number <= leukemia else "hem"
        subject = number if kind == "all" else f"H{number}"
        for cell in range(1, cells + 1):
            name = f"fold_0/{kind}/UID_{subject}_1_{cell}_{kind}.bmp"
            write_image(root / name, draw_cell(100 * number + cell, 60 if kind == "all" else 130))
    return root


def write_cnmc_validation(root: Path, names: list[str]) -> Path:
    """Write numbered cells with their table, and a final test set of the same numbers without labels."""
    data = root / "validation_data"
    rows = ["Patient_ID,new_names,labels"]
    for number, name in enumerate(names, start=1):
        write_image(data / f"C-NMC_test_prelim_phase_data/{number}.bmp", draw_cell(1000 + number))
        write_image(data / f"C-NMC_test_final_phase_data/{number}.bmp", draw_cell(2000 + number))
        rows.append(f"{name},{number}.bmp,{int(name.endswith('all.bmp'))}")
    (data / "C-NMC_test_prelim_phase_data_labels.csv").write_text("\n".join(rows))
    return root


def write_idb1(root: Path) -> Path:
    for number, label in ((1, 1), (2, 0)):
        field = draw_smear("Pro" if label else "Benign", np.random.default_rng(number), SIDE)
        write_image(root / f"ALL_IDB1/im/Im00{number}_{label}.jpg", field)
        (root / "ALL_IDB1/xyc").mkdir(parents=True, exist_ok=True)
        (root / f"ALL_IDB1/xyc/Im00{number}_{label}.xyc").write_text("20\t21\n" if label else "")
    return root


def write_idb2(root: Path) -> Path:
    for number, label in ((1, 1), (131, 0)):
        write_image(root / f"ALL_IDB2/img/Im{number:03}_{label}.tif", draw_cell(number))
    return root


def write_raabin(root: Path, part: str = "Train") -> Path:
    for number, kind in enumerate(("Basophil", "Lymphocyte", "Neutrophil")):
        write_image(root / part / kind / f"20190812_10041{number}_0.jpg", draw_cell(number) | 1)
    return root


def write_boxes(root: Path, boxes: dict[str, list[tuple]], side: int = 200) -> Path:
    """Write fields and their boxes: of each field the name and corners of each."""
    for number, (name, objects) in enumerate(boxes.items()):
        field = draw_smear("Pro", np.random.default_rng(number), side)
        write_image(root / f"JPEGImages/{name}.png", field)
        entries = "".join(
            f"<object><name>{label}</name><bndbox><xmin>{left}</xmin><ymin>{top}</ymin><xmax>{right}</xmax>"
            f"<ymax>{bottom}</ymax></bndbox></object>"
            for label, left, top, right, bottom in objects
        )
        (root / "Annotations").mkdir(exist_ok=True)
        (root / f"Annotations/{name}.xml").write_text(f"<annotation>{entries}</annotation>")
    return root

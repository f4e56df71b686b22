"""Convert weights from torchvision or timm to a weights file of an architecture."""

import hashlib
import json
import logging
import tempfile
from pathlib import Path
from typing import Any

from leukoscope.core.commands import name_run
from leukoscope.core.errors import InputError
from leukoscope.models import architecture
from leukoscope.pipelines.import_weights.options import ImportOptions

logger = logging.getLogger(__name__)


def import_weights(options: ImportOptions) -> dict[str, bytes]:
    """Convert a state_dict to a weights file for ``training.weights``.

    Args:
        options: The file and the architecture.

    Returns:
        The content of two files by name: the weights, and how each key was converted.

    Raises:
        InputError: No file or architecture is named, the file cannot be read, or it does not hold exactly the weights
            of a network that computes the same as the architecture.
    """
    from leukoscope.models.tensor_files import read_tensors
    from leukoscope.models.torch_weights import require_known, take_weights

    if options.weights is None or options.architecture is None:
        example = {"import_weights.weights": "FILE", "import_weights.architecture": "vgg16"}
        raise InputError(
            f"import_weights needs a file of torchvision or timm and an architecture: "
            f"{name_run('import_weights', example)}"
        )
    name = options.architecture
    path = Path(options.weights)
    network = require_known(name)
    row = architecture.get(name)
    taken = take_weights(name, read_tensors(path))
    report = {
        "architecture": name,
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "pixels": network.pixels,
        "set": {"weights": f"{name}.weights.h5"} | ({} if row.pixels == network.pixels else {"pixels": network.pixels}),
        "turned": network.turned,
        "keys_used": taken.used,
        "keys_left_out": taken.left_out,
    }
    _announce(row.title, report)
    return {
        f"{name}.weights.h5": _save(taken.trunk, network.pixels),
        f"{name}.json": json.dumps(report, indent=2).encode(),
    }


def _save(trunk: Any, pixels: str) -> bytes:
    from leukoscope.models.imported import mark_pixels

    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "trunk.weights.h5")
        trunk.save_weights(path)
        mark_pixels(path, pixels)
        return path.read_bytes()


def _announce(title: str, report: dict[str, Any]) -> None:
    logger.info(
        "%s of %s: %d keys used, %d left out on purpose (%s.json lists them)",
        title,
        report["file"],
        len(report["keys_used"]),
        len(report["keys_left_out"]),
        report["architecture"],
    )
    if "pixels" in report["set"]:
        logger.info("Set pixels to %s in the training of whatever starts from these weights", report["pixels"])
    if report["turned"]:
        logger.info(
            "Keras pads %s on other sides than PyTorch: all kernels were turned by half a turn, so that the network "
            "gives of an image what PyTorch's gives of the image turned by half a turn. Smears have no upper side",
            title,
        )

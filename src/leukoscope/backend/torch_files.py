"""Weights files of PyTorch."""

from pathlib import Path
from typing import Any

import numpy as np

from leukoscope.core.errors import InputError, shorten


def read_state_dict(path: Path) -> dict[str, np.ndarray]:
    """Read a state_dict with PyTorch's own reader, restricted to tensors.

    Args:
        path: A ``.pt`` or ``.pth`` file.

    Raises:
        InputError: PyTorch is not installed, or the file holds anything else.
    """
    try:
        import torch
    except ImportError as error:
        raise InputError(
            f"{path} is a file of PyTorch, which is not installed. Run `pip install -c requirements.lock -e "
            f"'.[torch]'`, or take the same weights as .safetensors, which needs no PyTorch."
        ) from error
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # the reader may raise anything, depending on the content
        reason = shorten(" ".join(str(error).split()))
        raise InputError(
            f"{path} is no file of tensors alone, so that it is not read: {reason} Save it anew in PyTorch by "
            f"torch.save(network.state_dict(), FILE)."
        ) from error
    return {key: _to_numpy(path, key, value) for key, value in _require_dict(path, content).items()}


def _require_dict(path: Path, content: Any) -> dict[Any, Any]:
    if isinstance(content, dict):
        return content
    raise InputError(f"{path} holds a {type(content).__name__}. Expected a state_dict, which has tensors by name.")


def _to_numpy(path: Path, key: Any, value: Any) -> np.ndarray:
    import torch

    if not isinstance(key, str) or not isinstance(value, torch.Tensor):
        raise InputError(
            f"{path} has under {key!r} a {type(value).__name__}. Expected a state_dict, which has tensors by name and "
            f"nothing else: save what is under 'state_dict' or 'model' by itself."
        )
    return value.detach().to(torch.float32).numpy()

"""Parameters of import_weights."""

from leukoscope.core.options import Options


class ImportOptions(Options):
    """Which file to convert to weights of which architecture.

    Attributes:
        weights: The path of a state_dict: ``.safetensors``, ``.pt`` or ``.pth``.
        architecture: The name of a registered architecture.
    """

    weights: str | None = None
    architecture: str | None = None

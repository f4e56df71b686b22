"""Parameters of import_weights."""

from leukoscope.core.options import Options


class ImportOptions(Options):
    """Which file becomes the weights of which architecture.

    Attributes:
        weights: The path of a state_dict: ``.safetensors``, ``.pt`` or ``.pth``.
        architecture: A registered one.
    """

    weights: str | None = None
    architecture: str | None = None

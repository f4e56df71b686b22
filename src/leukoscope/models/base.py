"""What models are made of and asked for, without Keras."""

from typing import Protocol


class NetworkRecipe(Protocol):
    """What of a training's recipe a network is built by.

    Attributes:
        weights: ``imagenet``, ``none``, or the path of a weights file.
        input_size: Side in pixels to which images are resized.
        dropout: Share of features dropped before the classifier.
        trainable: ``all``, ``head``, or the name of a block.
        batch_norm_momentum: Of the moving statistics; ``None``: as the architecture has it.
    """

    @property
    def weights(self) -> str: ...  # noqa: D102
    @property
    def input_size(self) -> int: ...  # noqa: D102
    @property
    def dropout(self) -> float: ...  # noqa: D102
    @property
    def trainable(self) -> str: ...  # noqa: D102
    @property
    def batch_norm_momentum(self) -> float | None: ...  # noqa: D102

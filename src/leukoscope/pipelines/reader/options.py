"""Parameters of the second reader."""

from pydantic import model_validator

from leukoscope.core.options import Options


class ReaderOptions(Options):
    """Which classifier reads."""

    backbone: str | None = None
    model_uri: str | None = None

    @model_validator(mode="after")
    def _check_one(self) -> "ReaderOptions":
        if self.backbone and self.model_uri:
            raise ValueError(
                f"reader.backbone is {self.backbone} and reader.model_uri {self.model_uri}: give one of them"
            )
        return self

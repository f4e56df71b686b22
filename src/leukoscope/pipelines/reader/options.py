"""Parameters of the second reader."""

from typing import Literal

from pydantic import model_validator

from leukoscope.core.options import Options


class ReaderOptions(Options):
    """Which classifier to use, and which engine computes its predictions."""

    model: str | None = None
    model_uri: str | None = None
    engine: Literal["auto", "keras", "onnx"] = "auto"

    @model_validator(mode="after")
    def _check_one(self) -> "ReaderOptions":
        if self.model and self.model_uri:
            raise ValueError(f"reader.model is {self.model} and reader.model_uri {self.model_uri}: give one of them")
        return self

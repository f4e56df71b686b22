"""A second reader as a model that MLflow loads and serves."""

import logging
import os
import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, TEMPORARILY_UNAVAILABLE
from mlflow.pyfunc import PythonModel, PythonModelContext

from leukoscope.core.errors import InputError
from leukoscope.inference.cell_evidence import list_cells, tells_cells
from leukoscope.reader.base import Reading
from leukoscope.reader.opinion_log import OpinionLog, tabulate_reading
from leukoscope.reader.photographs import Field
from leukoscope.reader.second_reader import SecondReader
from leukoscope.serving.answers import answer_fields
from leukoscope.serving.bodies import CELLS, Asked, read_cells_wanted, read_request
from leukoscope.serving.requests import OpenedImage, RequestLimits, decode_images, list_column, open_images
from leukoscope.serving.turns import LateError, Turns

logger = logging.getLogger(__name__)

ARTIFACT = "reader"
# Environment variable with the file that a server logs predictions to, for monitoring; unset: no log.
OPINION_LOG = "LEUKOSCOPE_OPINION_LOG"


class RefusedRequestError(MlflowException):
    """A request that is not answered because it is invalid (status 400), or cannot be answered now (503).

    Its message is kept to a single line: MLflow's server would otherwise prepend the whole request, up to many
    megabytes of images.
    """

    def __init__(self, message: str, code: int = INVALID_PARAMETER_VALUE) -> None:
        self._own = " ".join(message.split())
        super().__init__(self._own, code)

    @property
    def message(self) -> str:
        """What is wrong with the request."""
        return self._own

    @message.setter
    def message(self, longer: str) -> None:
        pass


def open_log() -> OpinionLog | None:
    """Open the log of predictions named by the environment; ``None`` if none is named.

    Raises:
        InputError: The log cannot be written.
    """
    place = os.environ.get(OPINION_LOG)
    if not place:
        return None
    log = OpinionLog(Path(place))
    log.append(pd.DataFrame())
    return log


class SecondReaderModel(PythonModel):
    """Returns calibrated probabilities and a prediction for each image, or the reason for abstaining."""

    reader: SecondReader
    limits: RequestLimits
    log: OpinionLog | None = None

    # Otherwise MLflow warns at each start that it cannot infer a schema from type hints: images come in several forms.
    _skip_type_hint_validation = True

    def load_context(self, context: PythonModelContext) -> None:
        """Load the reader and predict once, so that the first request does not wait for the backend to trace it.

        Raises:
            InputError: The environment names a log of predictions that cannot be written.
        """
        from leukoscope.serving.guard import guard_server

        self.log = open_log()
        self.reader = SecondReader.load(Path(context.artifacts[ARTIFACT]))
        self.limits = RequestLimits(**context.model_config)
        # Take turns: small requests may need much memory while they are opened or decoded, and reading uses all cores.
        self._opening = Turns("opening")
        self._reading = Turns("reading")
        self.reader.warm_up()
        guard_server(self.limits)

    def predict(self, context, model_input, params=None) -> pd.DataFrame:  # type: ignore[no-untyped-def]
        """Read images.

        Args:
            context: Not used.
            model_input: A table as accepted by ``decode_request``.
            params: If ``cells`` is true, the cells of each image are returned as well.

        Returns:
            One row per image, with the columns of ``SecondReader.read``, ``warning`` (a concern about the image, or
            null), ``scale`` (how many times as many cells fit side by side into it as into a training image, or null),
            ``tiles`` (for a photograph of many fields, the number of tiles by prediction; the rest of its row is as
            returned by ``average_tiles``), ``trained_on`` (whether the reader learned from drawn images) and, if
            requested, ``cells``, as returned by ``list_cells``.

        Raises:
            RefusedRequestError: The request is invalid.
        """
        return self._answer(lambda: Asked(list_column(model_input), read_cells_wanted(params)), None)

    def answer(self, body: bytes) -> pd.DataFrame:
        """Read the images of a request to a server.

        Args:
            body: Body as accepted by ``read_request``.

        Returns:
            The same table as ``predict``.

        Raises:
            RefusedRequestError: The request is invalid, or took too long.
        """
        return self._answer(partial(read_request, body), time.monotonic() + self.limits.max_seconds)

    def _answer(self, ask: Callable[[], Asked], deadline: float | None) -> pd.DataFrame:
        try:
            opened, with_cells = self._opening.run(deadline, self._open, ask)
            fields = decode_images(opened, self.reader, self.limits, partial(self._reading.run, deadline))
            told, reading = answer_fields(self.reader, fields, partial(self._read, deadline))
            if with_cells:
                told[CELLS] = [self._reading.run(deadline, self._list_cells, field) for field in fields]
        except InputError as error:
            raise RefusedRequestError(str(error)) from error
        except LateError as error:
            raise RefusedRequestError(
                f"The request was not done within {self.limits.max_seconds:g} seconds: the server is busy, or the "
                f"images take too long. Try again later, or send fewer or smaller images.",
                TEMPORARILY_UNAVAILABLE,
            ) from error
        if reading is not None:
            self._keep(reading)
        return told.assign(trained_on=self.reader.trained_on)

    def _read(self, deadline: float | None, images: np.ndarray) -> Reading:
        return self._reading.run(deadline, self.reader.read, images)

    def _keep(self, reading: Reading) -> None:
        """Log the monitored values of predictions, if requested; the answer does not depend on it."""
        if self.log is None:
            return
        together = uuid.uuid4().hex if len(reading.opinions) > 1 else None
        try:
            self.log.append(tabulate_reading(self.reader, reading, "server", together))
        except InputError as error:
            logger.error("An opinion was given and is not in the log for monitoring. %s", error)

    def _list_cells(self, field: Field) -> list[dict[str, Any]]:
        classifier = self.reader.classifier
        assert tells_cells(classifier)  # or the request would have been refused
        return [] if field.tiles else list_cells(classifier, field.pixels)

    def _open(self, ask: Callable[[], Asked]) -> tuple[list[OpenedImage], bool]:
        asked = ask()
        if asked.cells and not tells_cells(self.reader.classifier):
            raise InputError(
                f"{self.reader.title} does not read cells one by one, so that it cannot tell of them: ask without "
                f"`{CELLS}`."
            )
        return open_images(asked.images, self.reader, self.limits), asked.cells

"""A second reader as a model that MLflow loads and serves."""

import threading
from pathlib import Path

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc import PythonModel, PythonModelContext

from leukoscope.errors import InputError
from leukoscope.models.reader import SecondReader
from leukoscope.serving.requests import RequestLimits, decode_request

ARTIFACT = "reader"


class RefusedRequestError(MlflowException):
    """A request that cannot be used.

    Its message stays as it is: MLflow's server would put the whole request before it, up to many megabytes of image.
    """

    def __init__(self, message: str) -> None:
        self._own = message
        super().__init__(message, INVALID_PARAMETER_VALUE)

    @property
    def message(self) -> str:
        """What is wrong with the request."""
        return self._own

    @message.setter
    def message(self, longer: str) -> None:
        pass


class SecondReaderModel(PythonModel):
    """Takes images, and gives calibrated probabilities and an opinion on each, or the reason why there is none."""

    reader: SecondReader

    # Or MLflow would warn, at each start, that it can make no schema of hints: images come in more forms than one has.
    _skip_type_hint_validation = True

    def load_context(self, context: PythonModelContext) -> None:
        """Load the reader, and read once, so that the first request does not wait for the backend to trace it."""
        self.reader = SecondReader.load(Path(context.artifacts[ARTIFACT]))
        self._limits = RequestLimits(**context.model_config)
        self._one_at_a_time = threading.Lock()
        self.reader.warm_up()

    def predict(self, context, model_input, params=None) -> pd.DataFrame:  # type: ignore[no-untyped-def]
        """Read images.

        Args:
            context: Not used.
            model_input: As ``decode_request`` takes it.
            params: Not used.

        Returns:
            One row an image, as ``SecondReader.read`` has it, with ``trained_on``: whether the reader learned from
            drawn images.

        Raises:
            RefusedRequestError: The request cannot be used; a server answers with status 400.
        """
        with self._one_at_a_time:  # each uses all cores, and a small file may take much memory while it is decoded
            try:
                pixels = decode_request(model_input, self.reader, self._limits)
            except InputError as error:
                raise RefusedRequestError(str(error)) from error
            return self.reader.read(pixels).opinions.assign(trained_on=self.reader.trained_on)

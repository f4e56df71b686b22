"""Pipeline runners for ``kedro run --runner``."""

from leukoscope.runners.dask_runner import DaskRunner
from leukoscope.runners.model_by_model import ModelByModelRunner

__all__ = ["DaskRunner", "ModelByModelRunner"]

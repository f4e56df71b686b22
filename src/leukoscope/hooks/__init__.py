"""What runs around the pipelines: checks of what was given, tracking by MLflow, and a look at other runs."""

from leukoscope.hooks.inputs import InputHook
from leukoscope.hooks.other_runs import OtherRunsHook
from leukoscope.hooks.progress import ProgressHook
from leukoscope.hooks.results import ResultsHook
from leukoscope.hooks.tracking import TrackingHook
from leukoscope.hooks.unchanged import UnchangedHook

__all__ = ["InputHook", "OtherRunsHook", "ProgressHook", "ResultsHook", "TrackingHook", "UnchangedHook"]

"""Hooks around the pipelines: checks of the input, tracking by MLflow, and detection of concurrent runs."""

from leukoscope.hooks.inputs import InputHook
from leukoscope.hooks.other_runs import OtherRunsHook
from leukoscope.hooks.progress import ProgressHook
from leukoscope.hooks.results import ResultsHook
from leukoscope.hooks.tracking import TrackingHook
from leukoscope.hooks.unchanged import UnchangedHook

__all__ = ["InputHook", "OtherRunsHook", "ProgressHook", "ResultsHook", "TrackingHook", "UnchangedHook"]

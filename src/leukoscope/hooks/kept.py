"""The files that MLflow stores for runs."""

from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import RunStatus
from mlflow.entities.lifecycle_stage import LifecycleStage
from mlflow.exceptions import MlflowException
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import is_local_uri


def describe_finished(client: MlflowClient, run_ids: list[str]) -> dict[str, Any] | None:
    """List the files on this machine that MLflow stores for runs; ``None`` if a run is gone or did not finish.

    Returns:
        For each run, the places of its artefacts and models, with the names and sizes of the files.
    """
    kept: dict[str, Any] = {}
    for run_id in run_ids:
        try:
            info = client.get_run(run_id).info
            models = client.search_logged_models([info.experiment_id], f"source_run_id = '{run_id}'")
        except MlflowException:
            return None
        if info.status != RunStatus.to_string(RunStatus.FINISHED) or info.lifecycle_stage != LifecycleStage.ACTIVE:
            return None
        places = sorted({info.artifact_uri, *(model.artifact_location for model in models)})
        kept[run_id] = {place: _list_kept(place) for place in places}
    return kept


def _list_kept(place: str) -> list[tuple[str, int]]:
    """List the files at a local place with their sizes; empty for a server."""
    if not is_local_uri(place):
        return []
    folder = Path(local_file_uri_to_path(place))
    return sorted((str(path.relative_to(folder)), path.stat().st_size) for path in folder.rglob("*") if path.is_file())

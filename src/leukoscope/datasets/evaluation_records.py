"""The records of evaluated trainings, each in the folder of its training."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from leukoscope.core.commands import name_run
from leukoscope.core.errors import InputError
from leukoscope.core.storage import write_folder_whole
from leukoscope.evaluation.records import FACTS, EvaluationRecord
from leukoscope.training.runs import TrainingRuns, name_split

logger = logging.getLogger(__name__)

_FOLDER = "evaluation"


class EvaluationRecordsDataset(AbstractDataset[EvaluationRecord, list[EvaluationRecord]]):
    """Saves a record in the folder of the training that produced its model; loads the records of all its trainings.

    Args:
        filepath: The pointer to the current training, in the model's folder.
        metadata: Ignored here; may be used by other tools.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self._runs = TrainingRuns(self._filepath.parent)
        self.metadata = metadata

    def save(self, data: EvaluationRecord) -> None:
        """Write the record, with the training's key, replacing an earlier record of the same training.

        Raises:
            InputError: Another run is writing a record there.
        """
        journal = self._runs.find_model(data.facts["model"])
        if journal is None:
            logger.warning(
                "The evaluation of %s is not kept for cross-validation: its model came of no training in %s. Run `%s`, "
                "which trains nothing twice",
                self._runs.home.name,
                self._runs.home,
                name_run(f"train_{self._runs.home.name}"),
            )
            return
        differing = _find_differences(data.facts, journal.key)
        if differing:
            logger.warning(
                "The evaluation of %s is not kept for cross-validation: its model was trained with %s. Give the "
                "parameters of the training",
                self._runs.home.name,
                differing,
            )
            return
        record = replace(data, facts=data.facts | {"key": journal.key})
        write_folder_whole(journal.folder / _FOLDER, record.save)

    def load(self) -> list[EvaluationRecord]:
        """Read all records; the list is empty if no training was evaluated.

        Raises:
            InputError: A record is damaged or incomplete.
        """
        return [self._read(folder) for folder in sorted(self._runs.home.glob(f"*/runs/*/{_FOLDER}"))]

    def list_files(self) -> list[Path]:
        """List the files of all records, if any."""
        return sorted(self._runs.home.glob(f"*/runs/*/{_FOLDER}/*"))

    def _read(self, folder: Path) -> EvaluationRecord:
        place = folder.parent.relative_to(self._runs.home)
        try:
            return EvaluationRecord.load(folder, place.as_posix())
        except (OSError, ValueError, KeyError, TypeError) as error:
            if isinstance(error, OSError) and error.errno is not None and not _is_of_content(error):
                raise
            split = place.parts[0]
            fold = (
                {"splitting.fold": split.removeprefix("fold-").replace("-", " ")} if split.startswith("fold-") else {}
            )
            what = " ".join(str(error).split()) or type(error).__name__
            command = name_run(f"train_{self._runs.home.name}", fold)
            raise InputError(
                f"The evaluation in {folder} is not whole: {what}. Remove that folder, and evaluate the training "
                f"again, with its own parameters: `{command}`, which trains nothing twice."
            ) from error

    def _exists(self) -> bool:
        """Check whether the current training was evaluated."""
        current = self._runs.find_current()
        return current is not None and (current.folder / _FOLDER / FACTS).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


def _find_differences(facts: dict[str, Any], key: dict[str, Any]) -> str:
    """Describe the parameters in which a training differs from an evaluation of its model; empty if none differ."""
    evaluated = {"split": name_split(facts["fold"]), "seed": facts["seed"]}
    differing = [name for name, value in evaluated.items() if key.get(name, value) != value]
    return ", ".join(f"{name} {key[name]}, and the parameters say {evaluated[name]}" for name in differing)


def _is_of_content(error: OSError) -> bool:
    """Check whether a file is missing or not a regular file, rather than inaccessible."""
    return isinstance(error, FileNotFoundError | IsADirectoryError | NotADirectoryError)

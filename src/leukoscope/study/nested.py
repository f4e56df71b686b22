"""The search within a unit, which chooses hyper-parameters on the training and validation images of the unit's fold."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from leukoscope.core.errors import InputError
from leukoscope.study.trials import has_values
from leukoscope.training.journal import TrainingJournal

if TYPE_CHECKING:
    from leukoscope.study.plan import Unit

# Folder of a search's trials, relative to the data.
STORAGE = "08_reporting/search"
_REPORTING = "08_reporting"
_TABLE = "search.csv"
_BEST = "search_best.yml"
_LASTING = (_TABLE, _BEST, "search.html")


class Choice(NamedTuple):
    """The result of a search.

    Attributes:
        values: The chosen hyper-parameters, by dotted names.
        splits: For each training of its trials, the fingerprint of the splits that it saw.
    """

    values: Mapping[str, Any]
    splits: frozenset[str]

    def require_same(self, unit: "Unit", key: Mapping[str, Any]) -> None:
        """Check that a unit was trained with the chosen values, and that the search saw only the unit's splits.

        Args:
            unit: The unit.
            key: The key of its training.

        Raises:
            InputError: It was trained otherwise, or the unit's test images may have been used by the search.
        """
        if self.splits - {key.get("splits")} or not has_values(key, self.values):
            raise InputError(
                f"The search within {unit} saw other splits than its training, or chose other values: images or "
                f"groups may have changed meanwhile. Run the same command again."
            )


def keep_choice(workspace: Path, folder: Path, entry: str, names: Sequence[str]) -> Choice:
    """Read the choice of the search within a unit, and save its table, its page and its entry.

    Args:
        workspace: The unit's workspace, in which the search has finished.
        folder: The folder to save these files to.
        entry: The model's name.
        names: The parameters that were searched, by dotted names.
    """
    import pandas as pd
    import yaml

    made = workspace / _REPORTING
    for name in _LASTING:
        shutil.copyfile(made / name, folder / name)
    (found,) = yaml.safe_load((made / _BEST).read_text())["models"].values()
    chosen = {name: found[part][field] for name, (part, _, field) in ((name, name.partition(".")) for name in names)}
    home = workspace / "06_models" / entry
    runs = pd.read_csv(made / _TABLE)["run"].dropna()
    return Choice(chosen, frozenset(str(TrainingJournal(home / run).key.get("splits")) for run in runs))

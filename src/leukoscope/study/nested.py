"""The search within a unit: hyper-parameters are chosen on the training and validation images of its own fold."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from leukoscope.core.errors import InputError
from leukoscope.study.trials import has_values
from leukoscope.training.journal import TrainingJournal

if TYPE_CHECKING:
    from leukoscope.study.plan import Unit

# Within the data: where a search keeps its trials.
STORAGE = "08_reporting/search"
_REPORTING = "08_reporting"
_TABLE = "search.csv"
_BEST = "search_best.yml"
_LASTING = (_TABLE, _BEST, "search.html")


class Choice(NamedTuple):
    """What a search has chosen.

    Attributes:
        values: Hyper-parameters, by dotted names.
        splits: Of each training of its trials the fingerprint of the splits that it saw.
    """

    values: Mapping[str, Any]
    splits: frozenset[str]

    def require_same(self, unit: "Unit", key: Mapping[str, Any]) -> None:
        """Make sure that a unit was trained as was chosen, and that the search saw its splits and no others.

        Args:
            unit: Which.
            key: Of its training.

        Raises:
            InputError: It was not, or the images that test the unit may have been among those that chose.
        """
        if self.splits - {key.get("splits")} or not has_values(key, self.values):
            raise InputError(
                f"The search within {unit} saw other splits than its training, or chose other values: images or "
                f"groups may have changed meanwhile. Run the same command again."
            )


def keep_choice(workspace: Path, folder: Path, entry: str, names: Sequence[str]) -> Choice:
    """Read what the search within a unit has chosen, and keep its table, its page and its entry.

    Args:
        workspace: Of the unit, in which the search has ended.
        folder: Where these last.
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

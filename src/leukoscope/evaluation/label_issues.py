"""Find labels that may be wrong: confident learning on predictions by models that have not seen the images."""

import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import pandas as pd

from leukoscope.core.errors import InputError
from leukoscope.evaluation.predictions import probability_columns

# A reviewer's verdict on a label.
LABEL_RIGHT = "label right"
LABEL_WRONG = "label wrong"
_FIRST = 10  # rows shown in a report


def require_cleanlab() -> None:
    """Check that cleanlab is installed, without importing it.

    Raises:
        InputError: It is not installed.
    """
    if find_spec("cleanlab") is None:
        raise InputError(
            "Looking for wrong labels needs cleanlab, which is not installed: "
            "pip install -c requirements.lock -e '.[labels]'"
        )


def find_label_issues(pooled: Mapping[str, pd.DataFrame], class_names: list[str]) -> pd.DataFrame:
    """Find images whose label is contradicted by models that were trained without them.

    Applies cleanlab's confident learning (Northcutt et al. 2021, Confident learning: estimating uncertainty in dataset
    labels) to the mean of the models' probabilities.

    Args:
        pooled: For each model ``image_id, label, group, predicted`` and one probability column per class, with one row
            per image of which the model has seen no copy.
        class_names: The classes in order.

    Returns:
        Most doubtful first: ``image_id, label, group``, the ``suggested`` class, ``probability_label``,
        ``probability_suggested``, and the number of ``models``, out of ``of_models``, that predict the suggested class.

    Raises:
        InputError: Cleanlab is not installed, the models have no image in common, or all images have the same label.
    """
    require_cleanlab()
    from cleanlab.filter import find_label_issues as find

    columns = probability_columns(class_names)
    tables = [table.set_index("image_id") for table in pooled.values()]
    common = sorted(set.intersection(*(set(table.index) for table in tables)))
    if not common:
        raise InputError(
            f"No image is predicted by all of {', '.join(pooled)}: they were tested on other images. Choose models "
            "that were trained on the same ones with cross_validation.models."
        )
    aligned = [table.loc[common] for table in tables]
    first = aligned[0]
    means = sum(table[columns].to_numpy(float) for table in aligned) / len(aligned)
    labels = pd.Index(class_names).get_indexer(first["label"])
    if len(set(labels)) < 2:
        raise InputError(
            f"All {len(labels)} pooled images are labelled {first['label'].iloc[0]}, so that no label can be held "
            f"against another. Train the folds on images of two classes or more."
        )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "May not flag all label issues")  # warns about classes without images
        doubtful = find(labels, means, return_indices_ranked_by="self_confidence", n_jobs=1)
    suggested = means[doubtful].argmax(axis=1)
    names = pd.Series(class_names).iloc[suggested].to_numpy()
    agreeing = sum((table["predicted"].to_numpy()[doubtful] == names).astype(int) for table in aligned)
    table = first.iloc[doubtful][["label", "group"]].reset_index(names="image_id")
    return table.assign(
        suggested=names,
        probability_label=means[doubtful, labels[doubtful]],
        probability_suggested=means[doubtful, suggested],
        models=agreeing,
        of_models=len(aligned),
    )


def summarise(issues: pd.DataFrame | None, reviews: pd.DataFrame | None, data: str) -> dict[str, Any] | None:
    """Summarise doubtful labels, and what reviewers said about them.

    Args:
        issues: The pipeline's list; ``None`` if no search was run.
        reviews: Label reviews, oldest first; ``None`` if there are none.
        data: Fingerprint of the images.

    Returns:
        The number of doubtful ``labels``, of those ``reviewed``, and of each verdict (``verdicts``); ``pairs`` of label
        and suggested class with their ``count``, most frequent first; and ``first``, the most doubtful rows with the
        newest ``verdict``. ``None`` if no search was run on these images.
    """
    if issues is None or "data" not in issues or (len(issues) and set(issues["data"]) != {data}):
        return None
    verdicts = {}
    for row in () if reviews is None else reviews.itertuples():
        verdicts[row.sha256, row.label] = row.verdict  # of this label: a label corrected since has no verdict
    reviewed = [verdicts.get(key, "") for key in zip(issues["sha256"], issues["label"], strict=True)]
    reviewed_issues = issues.assign(verdict=pd.Series(reviewed, index=issues.index, dtype=str))
    pairs = (
        reviewed_issues.groupby(["label", "suggested"], sort=False).size().sort_values(ascending=False, kind="stable")
    )
    return {
        "labels": len(reviewed_issues),
        "reviewed": int((reviewed_issues["verdict"] != "").sum()),
        "verdicts": reviewed_issues.loc[reviewed_issues["verdict"] != "", "verdict"].value_counts().to_dict(),
        "pairs": [{"label": label, "suggested": other, "count": int(count)} for (label, other), count in pairs.items()],
        "first": reviewed_issues.head(_FIRST).to_dict("records"),
    }

"""Which labels may be wrong: confident learning on predictions of models that have not seen the images."""

from collections.abc import Mapping

import pandas as pd

from leukoscope.core.errors import InputError
from leukoscope.evaluation.predictions import probability_columns


def find_label_issues(pooled: Mapping[str, pd.DataFrame], class_names: list[str]) -> pd.DataFrame:
    """Find images whose label is contradicted by models that were trained without them.

    Cleanlab's confident learning (Northcutt et al. 2021, Confident learning: estimating uncertainty in dataset labels)
    on the mean of the models' probabilities.

    Args:
        pooled: Of each model ``image_id, label, group, predicted`` and a probability column a class, one row an image
            that it has seen no copy of.
        class_names: The classes in order.

    Returns:
        The most doubtful first: ``image_id, label, group``, the ``suggested`` class, ``probability_label``,
        ``probability_suggested``, and how many ``models`` predict the suggested class, of ``of_models``.

    Raises:
        InputError: Cleanlab is not installed, or the models' images have none in common.
    """
    try:
        from cleanlab.filter import find_label_issues as find
    except ImportError as error:
        raise InputError(
            "Looking for wrong labels needs cleanlab, which is not installed: "
            "pip install -c requirements.lock -e '.[labels]'"
        ) from error
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
    found = find(labels, means, return_indices_ranked_by="self_confidence", n_jobs=1)
    suggested = means[found].argmax(axis=1)
    names = pd.Series(class_names).iloc[suggested].to_numpy()
    agreeing = sum((table["predicted"].to_numpy()[found] == names).astype(int) for table in aligned)
    table = first.iloc[found][["label", "group"]].reset_index(names="image_id")
    return table.assign(
        suggested=names,
        probability_label=means[found, labels[found]],
        probability_suggested=means[found, suggested],
        models=agreeing,
        of_models=len(aligned),
    )

"""Facts about the images: their origin, what was left out and why, and how they were split."""

from typing import Any

import pandas as pd

from leukoscope.core.fingerprint import fingerprint_table
from leukoscope.core.storage import as_records
from leukoscope.images.grouping import UNITS
from leukoscope.images.manifest import ACCEPTED, IDENTICAL, NEAR, fingerprint_manifest
from leukoscope.images.origin import Origin
from leukoscope.images.partition import SPLITS
from leukoscope.images.relabelling import are_relabelled


def describe_data(manifest: pd.DataFrame, report: pd.DataFrame, splits: pd.DataFrame, group_by: str) -> dict[str, Any]:
    """Collect the facts about a set of images.

    Args:
        manifest: Every file found.
        report: Counts by class, from ``summarise``.
        splits: The split of each accepted image.
        group_by: What never straddles two splits, a key of ``UNITS``.

    Returns:
        Facts in a form that JSON can hold.
    """
    return describe_images(manifest, report) | {
        "splits_fingerprint": fingerprint_table(splits),
        "grouping_unit": UNITS[group_by],
        "by_patient_table": group_by == "table",
        "splits": {split: _count_split(splits[splits["split"] == split]) for split in SPLITS},
        "in_no_split": int((manifest["status"] == ACCEPTED).sum()) - len(splits),
    }


def describe_images(manifest: pd.DataFrame, report: pd.DataFrame) -> dict[str, Any]:
    """Collect the facts about a set of images that is not split.

    Args:
        manifest: Every file found.
        report: Counts by class, from ``summarise``.
    """
    accepted = manifest[manifest["status"] == "accepted"]
    counted = report[(report["label"] != "total") & report["expected"].notna()]
    reasons = manifest["reason"].dropna().str.replace(r":.*", "", regex=True).value_counts()
    sizes = accepted["width"].astype(int).astype(str) + " x " + accepted["height"].astype(int).astype(str)
    return {
        "fingerprint": fingerprint_manifest(manifest),
        "origin": Origin.trace(manifest)._asdict(),
        "grouping_unit": None,
        "by_patient_table": False,
        "found": len(manifest),
        "accepted": len(accepted),
        "quarantined": {str(reason): int(count) for reason, count in reasons.items()},
        "copies": {kind: int((accepted["duplicate_kind"] == kind).sum()) for kind in (IDENTICAL, NEAR)},
        "classes": as_records(report[report["label"] != "total"]),
        "relabelled": int(are_relabelled(manifest).sum()),
        "as_expected": bool((counted["found"] == counted["expected"]).all()) if len(counted) else None,
        "sizes": {str(size): int(count) for size, count in sizes.value_counts().head(5).items()},
        "modes": {str(mode): int(count) for mode, count in accepted["mode"].value_counts().items()},
        "median_bytes": int(accepted["bytes"].median()),
    }


def _count_split(rows: pd.DataFrame) -> dict[str, Any]:
    by_class = rows["label"].value_counts()
    return {
        "images": len(rows),
        "groups": int(rows["group"].nunique()),
        "classes": {str(name): int(count) for name, count in by_class.items()},
    }

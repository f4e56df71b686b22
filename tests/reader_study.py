"""Reviews of a made-up reader study: readers, blind and revised, two rounds."""

import numpy as np
import pandas as pd

CLASSES = ["Benign", "Early", "Pre", "Pro"]
_START = pd.Timestamp("2026-01-02T10:00:00+00:00")


def name_field(number: int) -> str:
    return f"{number:064x}"


def make_review(number: int, reviewer: str, said: str | None, model: str, **columns) -> dict:
    """Make one review of a field; ``day`` is when, ``None`` is not assessable."""
    day = columns.pop("day", 0.0)
    verdict = "not assessable" if said is None else "agree" if said == model else "disagree"
    facts = {
        "reviewed_at": (_START + pd.Timedelta(days=day)).isoformat(timespec="seconds"),
        "sha256": name_field(number),
        "file_name": None,
        "seen_in": None,
        "model": "vgg16",
        "model_fingerprint": "m1",
        "data": "d1",
        "opinion": model,
        "likeliest": model,
        "verdict": verdict,
        "reviewer_class": said,
        "reviewer": reviewer,
        "phase": "unblinded",
        "seconds": None,
        "session": "s1",
        "grade": None,
    }
    return facts | columns


def make_manifest(labels: list[str], **columns) -> pd.DataFrame:
    """Make the images that were ingested, a group each."""
    names = [f"{label}/{number}" for number, label in enumerate(labels)]
    facts = {"image_id": names, "label": labels, "sha256": list(map(name_field, range(len(labels)))), "group": names}
    return pd.DataFrame(facts | columns)


def make_study(
    readers: int = 3, fields: int = 40, seed: int = 0, rounds: int = 1, skill: float = 0.65
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make a study in which the model is right more often than readers, who follow it half of the time.

    Returns:
        The reviews, the oldest first, and the manifest.
    """
    rng = np.random.default_rng(seed)
    labels = rng.choice(CLASSES, fields)

    def err(share: float) -> np.ndarray:
        return np.where(rng.random(fields) < share, labels, rng.choice(CLASSES, fields))

    model, rows = err(0.85), []
    for turn in range(rounds):
        for reader in (f"R{number}" for number in range(1, readers + 1)):
            blind = err(skill)
            revised = np.where(rng.random(fields) < 0.5, model, blind)
            for phase, said, later in (("blind", blind, 0.0), ("revised", revised, 0.001)):
                grades = np.clip(np.where(said == "Benign", 2, 4) + rng.integers(-1, 2, fields), 1, 5)
                rows += [
                    make_review(
                        number,
                        reader,
                        said[number],
                        model[number],
                        day=30 * turn + later + number / 1000,
                        phase=phase,
                        seconds=20 - 12 * (phase == "revised"),
                        grade=int(grades[number]),
                    )
                    for number in range(fields)
                ]
    table = pd.DataFrame(rows).sort_values("reviewed_at", kind="stable", ignore_index=True)
    return table, make_manifest(labels.tolist())

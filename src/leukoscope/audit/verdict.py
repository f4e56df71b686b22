"""What the ladder means, in words."""

import pandas as pd

from leukoscope.audit.ladder import PROTOCOLS

_NAMES = {
    "colour_histogram": "stain colour alone",
    "background": "the colour of the background alone",
    "border": "the outermost frame alone",
    "corner": "the lower right corner alone",
    "thumbnail": "a thumbnail of 8 x 8 pixels",
    "file": "the file's size and compression alone",
}


def judge(ladder: pd.DataFrame, labels: pd.Series, alarm: float) -> tuple[bool, str]:
    """Say whether accuracies on these images can be won without cells.

    Args:
        ladder: As ``Ladder.climb`` gives it.
        labels: The true classes, for the share of the largest.
        alarm: How far from that share to 1 a predictor that cannot see cells may get.

    Returns:
        Whether the alarm is raised, and the verdict, a sentence a line.
    """
    chance = float(labels.value_counts(normalize=True).iloc[0])
    limit = chance + alarm * (1 - chance)
    blind = ladder[ladder["predictor"].isin(_NAMES)]
    strongest = blind.loc[blind.groupby("protocol", sort=False)["low"].idxmax()]
    raised = bool((strongest["low"] > limit).any())
    lines = ["ALARM: these classes can be told apart without seeing a cell." if raised else _ALL_CLEAR]
    for row in strongest.itertuples():
        figure = f"{_NAMES[row.predictor]} reaches {row.accuracy:.3f} ({row.low:.3f} to {row.high:.3f})"
        tail = "an accuracy below that says nothing about cells" if row.low > limit else f"the alarm is at {limit:.3f}"
        lines.append(f"{PROTOCOLS[row.protocol].capitalize()}: {figure}; {tail}.")
    lines += _judge_networks(ladder, strongest)
    lines.append(f"Always naming the largest class reaches {chance:.3f}.")
    return raised, "\n".join(lines) + "\n"


_ALL_CLEAR = "No alarm: what cannot see cells does not tell these classes apart."


def _judge_networks(ladder: pd.DataFrame, strongest: pd.DataFrame) -> list[str]:
    """Say for each network, under the strictest protocol, what it reads beyond what cannot see cells."""
    networks = ladder[~ladder["predictor"].isin(_NAMES)]
    if networks.empty:
        return ["No trained backbone was there to be judged."]
    strictest = networks["protocol"].iloc[-1]
    blind = strongest.set_index("protocol").loc[strictest]
    lines = []
    for row in networks[networks["protocol"] == strictest].itertuples():
        beyond = "more than" if row.low > blind["high"] else "not clearly more than"
        lines.append(
            f"{PROTOCOLS[strictest].capitalize()}: {row.predictor.replace('_', ' ')} of a trained network reach "
            f"{row.accuracy:.3f} ({row.low:.3f} to {row.high:.3f}), {beyond} {_NAMES[blind['predictor']]}."
        )
    return lines

"""The page of a hyperparameter search."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from leukoscope.core.commands import name_configuration, name_run
from leukoscope.core.storage import as_records
from leukoscope.figures import search as figures
from leukoscope.figures.svg import to_svg
from leukoscope.reporting.filters import page_environment
from leukoscope.reporting.frame import Frame, warn_of_manifest
from leukoscope.reporting.links import list_links
from leukoscope.reporting.verdicts import judge_search
from leukoscope.study.found import FAILED, FINISHED, PRUNED, RUNNING
from leukoscope.study.objectives import OBJECTIVES
from leukoscope.study.search import SearchPlan

_STATES = (FINISHED, PRUNED, FAILED, RUNNING)


class Found(NamedTuple):
    """The findings of a search so far.

    Attributes:
        trials: One row per trial.
        best: Settings of the best trial, or of the trials on the Pareto front, by the names of the entries that they
            make.
        shares: Share of the first objective's variance that each parameter explains; empty if it cannot be estimated.
    """

    trials: pd.DataFrame
    best: Mapping[str, Mapping[str, Any]]
    shares: Mapping[str, float]


def render_search(plan: SearchPlan, found: Found, title: str, manifest: pd.DataFrame, frame: Frame) -> str:
    """Render the page of a search, finished or not.

    Args:
        plan: What is searched, how, and for which objectives.
        found: The findings so far.
        title: Title of the model.
        manifest: All images.
        frame: The header of the page.
    """
    trials = found.trials
    drawn = {
        "history": figures.draw_history(trials, plan.objectives),
        "importance": figures.draw_importance(found.shares, plan.objectives[0]),
    }
    chosen = as_records(trials[trials["best"].astype(bool)])
    counts = {state: int((trials["state"] == state).sum()) for state in _STATES}
    return (
        page_environment()
        .get_template("search.html")
        .render(
            plots={name: to_svg(figure, name) for name, figure in drawn.items()},
            title=title,
            plan=plan,
            space={name: values.words for name, values in plan.space.items()},
            objectives={name: OBJECTIVES[name] for name in plan.objectives},
            figures={name: OBJECTIVES[name].title for name in OBJECTIVES if name not in plan.objectives},
            trials=as_records(trials),
            counts=counts,
            frame=frame,
            verdict=_judge(plan, chosen, counts[FINISHED]),
            links=list_links("search.html", frame.pages),
            best=found.best,
            chosen=chosen,
            shares=dict(sorted(found.shares.items(), key=lambda item: -item[1])),
            seconds=float(trials["seconds"].sum()),
            commands={"search": name_run("search"), "train": [name_run(f"train_{name}") for name in found.best]},
            configuration=name_configuration("search_best"),
            provenance=frame.provenance,
            warnings=warn_of_manifest(manifest),
        )
    )


def _judge(plan: SearchPlan, chosen: Sequence[Mapping[str, Any]], finished: int) -> str:
    name = plan.objectives[0]
    is_one = len(plan.objectives) == 1 and chosen
    return judge_search(OBJECTIVES[name].title, chosen[0][name] if is_one else None, finished)

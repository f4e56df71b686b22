"""Figures of a search of hyperparameters, by Optuna's own plots."""

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from leukoscope.study.objectives import OBJECTIVES

if TYPE_CHECKING:
    import optuna
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SIZE = (7.0, 4.2)
# So many trials can tell what mattered.
_FEWEST = 3


def draw_history(study: "optuna.Study", objectives: Sequence[str]) -> "Figure":
    """Draw the value of each trial, or, with two or three objectives, the Pareto front.

    Args:
        study: Of Optuna's.
        objectives: What was looked for.
    """
    from optuna.visualization import matplotlib as plots

    titles = [OBJECTIVES[name].title for name in objectives]
    if len(objectives) in (2, 3) and study.best_trials:
        return _draw(lambda: plots.plot_pareto_front(study, target_names=titles))
    if not study.best_trials:
        return _say_nothing("No trial has finished")
    return _draw(lambda: _count_from_one(plots.plot_optimization_history(study, target_name=titles[0])))


def draw_importance(study: "optuna.Study", objective: str) -> "Figure":
    """Draw how much of an objective's variance each parameter explains, by functional ANOVA.

    Args:
        study: Of Optuna's.
        objective: The first of those that were looked for.
    """
    from optuna.importance import FanovaImportanceEvaluator
    from optuna.trial import TrialState
    from optuna.visualization import matplotlib as plots

    ended = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    values = {trial.values[0] for trial in ended}
    if len(ended) < _FEWEST or len(values) < 2:
        return _say_nothing("Too few trials have finished to tell which parameters matter")
    return _draw(
        lambda: plots.plot_param_importances(
            study,
            evaluator=FanovaImportanceEvaluator(seed=0),
            target=lambda trial: trial.values[0],
            target_name=OBJECTIVES[objective].title,
        )
    )


def _count_from_one(axes: "Axes") -> "Axes":
    """Number trials as tables and messages do, and put the legend where it takes no room."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number + 1:.0f}"))
    axes.legend(loc="best")
    return axes


def _draw(plot: "Callable[[], Axes]") -> "Figure":
    """Let Optuna draw, which would leave its style to whatever is drawn later, and its figure to pyplot."""
    from matplotlib import pyplot as plt
    from optuna.exceptions import ExperimentalWarning

    backend = plt.get_backend()
    plt.switch_backend("agg")
    try:
        with plt.rc_context(), warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            figure = plot().get_figure(root=True)
            assert figure is not None
            figure.set_size_inches(_SIZE)
            figure.tight_layout()
            plt.close(figure)
    finally:
        plt.switch_backend(backend)
    return figure


def _say_nothing(words: str) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE)
    figure.text(0.5, 0.5, words, ha="center", va="center")
    return figure

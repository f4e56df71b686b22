"""Figures of a search: they show what was found, and leave other figures as they are."""

import matplotlib as mpl
import optuna
import pytest

from leukoscope.figures.search import draw_history, draw_importance


def make_study(trials: int = 12, objectives: int = 1) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(directions=["minimize"] * objectives, sampler=optuna.samplers.RandomSampler(seed=1))

    def lose(trial):
        matters, other = (trial.suggest_float(name, 0, 1) for name in ("training.dropout", "augmentation.stain"))
        return [matters**2 + 0.01 * other] + [1 - matters] * (objectives - 1)

    study.optimize(lose, trials)
    return study


def list_words(figure) -> str:
    parts = [word.get_text() for axes in figure.axes for word in axes.get_xticklabels() + axes.get_yticklabels()]
    labels = [text for axes in figure.axes for text in (axes.get_xlabel(), axes.get_ylabel())]
    return " ".join([*parts, *labels, *(text.get_text() for text in figure.texts)])


def test_the_history_has_each_trial_and_the_importance_each_parameter():
    study, style = make_study(40), dict(mpl.rcParams)
    history, importance = draw_history(study, ["validation_loss"]), draw_importance(study, "validation_loss")
    assert "Cross-entropy of validation images" in list_words(history)
    assert len(history.axes[0].collections[0].get_offsets()) == 40
    words = list_words(importance)
    assert "training.dropout" in words
    assert "augmentation.stain" in words
    widths = [bar.get_width() for bar in importance.axes[0].patches]
    assert max(widths) > 0.8
    assert dict(mpl.rcParams) == style


def test_two_objectives_have_a_front():
    front = list_words(draw_history(make_study(objectives=2), ["validation_loss", "milliseconds"]))
    assert "Cross-entropy of validation images" in front
    assert "Milliseconds of prediction an image" in front


@pytest.mark.parametrize("trials", [0, 1])
def test_of_too_few_trials_it_is_said_that_nothing_can_be_told(trials):
    study = make_study(trials)
    assert "Too few trials" in list_words(draw_importance(study, "grey"))
    assert ("No trial has finished" in list_words(draw_history(study, ["grey"]))) == (trials == 0)

"""The glossary: terms explained for clinicians, in one table from which every page explains the terms that it uses."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from markupsafe import Markup, escape


class Term(NamedTuple):
    """A term of the glossary.

    Attributes:
        title: Title in the glossary.
        meaning: Explanation in a sentence or two.
        words: Other words that pages use for the term.
    """

    title: str
    meaning: str
    words: tuple[str, ...] = ()


TERMS = {
    "accuracy": Term("accuracy", "The share of images whose class is named correctly."),
    "interval": Term(
        "interval",
        "The range in which a figure would lie for other images of the same source: the narrower, the surer. "
        "It says nothing of other laboratories.",
        ("intervals",),
    ),
    "baseline": Term(
        "stain-colour baseline",
        "A simple program that sees only which colours a field has, and no cell. A model that is not better than it "
        "may have learned the stain and not the disease.",
        ("stain colour alone", "stain colour"),
    ),
    "sensitivity": Term(
        "sensitivity", "Of the images that have a class, the share that is found: few missed cases if it is high."
    ),
    "specificity": Term(
        "specificity", "Of the images that do not have a class, the share that is left alone: few false alarms if high."
    ),
    "precision": Term(
        "precision", "Of the images that are given a class, the share that has it.", ("positive predictive value",)
    ),
    "macro-f1": Term(
        "macro F1",
        "One number from 0 to 1 for how well every class is found without false alarms; rare classes count as much as "
        "common ones.",
        ("F1",),
    ),
    "auc": Term(
        "AUC",
        "How well a score ranks: the chance that an image with the class gets a higher score than one without it. "
        "0.5 is a coin, 1 is perfect.",
        ("ROC curves", "ROC curve"),
    ),
    "calibration": Term(
        "calibration",
        "Whether a stated probability is met: of opinions with 90 % confidence, nine of ten should be right.",
        ("calibration error", "calibrated", "reliability diagram"),
    ),
    "confidence": Term("confidence", "The probability that a model gives the class which it names."),
    "abstained": Term(
        "abstained",
        "The model gives no opinion on an image, since it is not sure enough or the image is unlike those it learned "
        "from. A person has to look.",
        ("abstains", "images with an opinion"),
    ),
    "out-of-distribution": Term(
        "out of distribution",
        "Unlike the images that a model learned from, by another stain, focus, camera or object; its opinion is then "
        "worth little.",
        ("out-of-distribution score", "unlike the training images"),
    ),
    "embargo": Term(
        "embargo",
        "Images whose file numbers are near a tested one are kept out of training, since neighbours may be of one "
        "slide or patient.",
    ),
    "appearance": Term(
        "appearance cluster",
        "Fields of nearly the same colours, which may be of one slide or stain. They are tested together, so that a "
        "model cannot know the look of a tested field.",
        ("appearance clusters",),
    ),
    "group": Term(
        "group", "Images that belong together, such as copies or fields of one slide. Intervals and tests go by groups."
    ),
    "shown": Term(
        "shown",
        "A difference that a test finds too large for chance on these images, after allowing for how many were tested. "
        "Not shown does not mean equal.",
        ("not shown",),
    ),
    "confusion": Term(
        "confusion matrix", "A table of what was taken for what: a row a true class, a column a predicted one."
    ),
    "kappa": Term(
        "Cohen's kappa",
        "How far two readers agree beyond chance: 1 is full agreement, 0 that of chance. It is low where nearly all "
        "fields are of one class.",
        ("kappa",),
    ),
    "alpha": Term(
        "Krippendorff's alpha", "As Cohen's kappa, for any number of readers, of whom some may have left fields out."
    ),
    "ac1": Term(
        "Gwet's AC1",
        "As Cohen's kappa, but not low where nearly all fields are of one class; to be read beside it, never instead.",
    ),
    "prediction-set": Term(
        "prediction set",
        "The classes that cannot be ruled out for an image, built to hold the true one as often as promised.",
        ("prediction sets",),
    ),
    "epoch": Term("epoch", "One pass of training over all training images.", ("epochs",)),
    "validation": Term(
        "validation images",
        "Images that choose settings and thresholds, and are neither learned from nor counted in test figures.",
        ("validation",),
    ),
    "fold": Term("fold", "One of several parts of the images, each of which is tested once.", ("folds",)),
    "seed": Term(
        "seed", "The number that fixes all chance in a training; another one is another training.", ("seeds",)
    ),
}
_NAMES = {word.lower(): name for name, term in TERMS.items() for word in (term.title, *term.words)}
_WORDS = re.compile(rf"(?<![\w-])({'|'.join(sorted(map(re.escape, _NAMES), key=len, reverse=True))})(?![\w-])", re.I)


def explain(text: str) -> Markup:
    """Link each term in a text to its explanation, which appears on hover or focus.

    Args:
        text: Plain text, such as the title of a figure. A term that occurs twice is linked once.
    """
    parts = [Markup()]
    end = 0
    seen = set()
    for match in _WORDS.finditer(text):
        name = _NAMES[match[0].lower()]
        if name not in seen:
            parts += [escape(text[end : match.start()]), _link(name, match[0])]
            end = match.end()
            seen.add(name)
    return Markup().join([*parts, escape(text[end:])])


def _link(name: str, words: str) -> Markup:
    return Markup('<a class="term" href="#term-{}" data-tip="{}" aria-describedby="means-{}">{}</a>').format(
        name, TERMS[name].meaning, name, words
    )


def sort_terms(terms: Mapping[str, Term]) -> list[tuple[str, Term]]:
    """Sort terms with their names alphabetically."""
    return sorted(terms.items(), key=lambda pair: pair[1].title.lower())

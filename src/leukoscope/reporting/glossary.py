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
    "accuracy": Term("accuracy", "The share of images that are classified correctly."),
    "interval": Term(
        "interval",
        "The range in which a figure would lie for other images of the same source; the narrower, the surer. "
        "It says nothing about other laboratories.",
        ("intervals",),
    ),
    "baseline": Term(
        "stain-colour baseline",
        "A simple program that sees only the colours of a field and no cell. A model that is no better may have "
        "learned the stain and not the disease.",
        ("stain colour alone", "stain colour"),
    ),
    "sensitivity": Term(
        "sensitivity",
        "Of the images that belong to a class, the share that is found. If it is high, few cases are missed.",
    ),
    "specificity": Term(
        "specificity",
        "Of the images that do not belong to a class, the share not assigned to it. If it is high, there are few false "
        "alarms.",
    ),
    "precision": Term(
        "precision", "Of the images assigned to a class, the share that belongs to it.", ("positive predictive value",)
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
        "0.5 is a coin toss, 1 is perfect.",
        ("ROC curves", "ROC curve"),
    ),
    "calibration": Term(
        "calibration",
        "Whether stated probabilities come true: of opinions with 90 % confidence, nine in ten should be right.",
        ("calibration error", "calibrated", "reliability diagram"),
    ),
    "confidence": Term("confidence", "The probability that a model gives to the class it names."),
    "abstained": Term(
        "abstained",
        "The model gives no opinion on an image, because it is not sure enough or the image is unlike its training "
        "images. A person has to look at it.",
        ("abstains", "images with an opinion"),
    ),
    "out-of-distribution": Term(
        "out of distribution",
        "Unlike a model's training images because of another stain, focus, camera or object; its opinion is then worth "
        "little.",
        ("out-of-distribution score", "unlike the training images"),
    ),
    "embargo": Term(
        "embargo",
        "Images with file numbers close to that of a test image are kept out of training, because neighbours may come "
        "from one slide or patient.",
    ),
    "appearance": Term(
        "appearance cluster",
        "Fields of nearly the same colours, which may come from one slide or stain. They are tested together, so that "
        "a model has not already seen the look of a test field.",
        ("appearance clusters",),
    ),
    "group": Term(
        "group",
        "Images that belong together, such as copies or fields of one slide. Intervals and tests treat each as a unit.",
    ),
    "shown": Term(
        "shown",
        "A difference that a test finds too large for chance on these images, corrected for the number of tests. "
        "Not shown does not mean equal.",
        ("not shown",),
    ),
    "confusion": Term("confusion matrix", "Counts of images: one row per true class, one column per predicted class."),
    "kappa": Term(
        "Cohen's kappa",
        "How far two readers agree beyond chance: 1 is full agreement, 0 is agreement by chance. It is low where "
        "nearly all fields are of one class.",
        ("kappa",),
    ),
    "alpha": Term(
        "Krippendorff's alpha", "Like Cohen's kappa, for any number of readers, some of whom may have skipped fields."
    ),
    "ac1": Term(
        "Gwet's AC1",
        "Like Cohen's kappa, but not low where nearly all fields are of one class; read it with kappa, never instead.",
    ),
    "prediction-set": Term(
        "prediction set",
        "The classes that cannot be ruled out for an image, built to contain the true one as often as promised.",
        ("prediction sets",),
    ),
    "epoch": Term("epoch", "One pass of training over all training images.", ("epochs",)),
    "validation": Term(
        "validation images",
        "Images used to choose settings and thresholds; they are neither trained on nor counted in test figures.",
        ("validation",),
    ),
    "fold": Term("fold", "One of several parts of the images; each part is tested once.", ("folds",)),
    "seed": Term(
        "seed", "The number that fixes all randomness in a training; another seed is another training.", ("seeds",)
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

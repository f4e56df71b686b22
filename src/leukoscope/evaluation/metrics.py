"""The table of metrics: computed by evaluations, and described in reports, model cards, documentation and promotion.

A metric is a row here, named as in ``metrics.json`` but without its split, and a function in ``measures`` that computes
it. Everything else follows from the row.
"""

from math import inf

from leukoscope.evaluation import measures as by
from leukoscope.evaluation.metric import Combined, Count, Hits, Lack, Metric, Number, Share
from leukoscope.evaluation.trust_metrics import TRUST_METRICS

_BOTH = (Lack.MALIGNANT, Lack.BENIGN)
_RATES = ("screening_sensitivity", "screening_specificity")
_AT_PREVALENCE = "the same where `evaluation.prevalence` of the fields are malignant; most data sets have many more"

METRICS: dict[str, Metric] = {
    "images": Metric("images", "number of images", Count(len), bounds=(0, inf), ideal=None),
    "groups": Metric(
        "groups", "number of their groups", Count(by.count_groups), needs="groups", bounds=(0, inf), ideal=None
    ),
    "error_groups": Metric(
        "groups with an error",
        "number of groups in which an image is wrong",
        Count(by.count_error_groups),
        needs="groups",
        bounds=(0, inf),
        ideal=0,
    ),
    "accuracy": Metric(
        "accuracy",
        "share of images that are right",
        Share(lambda outcome: Hits(outcome.hits, outcome.every)),
        is_primary=True,
        is_compared=True,
        can_promote=True,
    ),
    "balanced_accuracy": Metric(
        "balanced accuracy",
        "mean over the classes of the share of their images that are right",
        Number(lambda draw: draw.sensitivity.mean()),
        undefined=(Lack.CLASS,),
        is_primary=True,
        can_promote=True,
    ),
    "loss": Metric(
        "log loss",
        "log loss of the probabilities as the model gives them",
        Number(lambda draw: draw.average(draw.outcome.losses)),
        bounds=(0, inf),
        ideal=0,
    ),
    "macro_precision": Metric(
        "macro precision",
        "mean over the classes of their precision",
        Number(lambda draw: draw.precision.mean()),
        undefined=(Lack.CLASS, Lack.PREDICTION),
    ),
    "weighted_precision": Metric(
        "weighted precision",
        "the same, each class by its images",
        Number(lambda draw: by.average_by_support(draw, draw.precision)),
        undefined=(Lack.SECOND_CLASS, Lack.PREDICTION),
    ),
    "macro_sensitivity": Metric(
        "macro sensitivity",
        "mean over the classes of their sensitivity: the balanced accuracy",
        Number(lambda draw: draw.sensitivity.mean()),
        undefined=(Lack.CLASS,),
    ),
    "weighted_sensitivity": Metric(
        "weighted sensitivity",
        "the same, each class by its images: the accuracy",
        Number(lambda draw: by.average_by_support(draw, draw.sensitivity)),
    ),
    "macro_f1": Metric(
        "macro F1",
        "mean over the classes of their F1",
        Number(lambda draw: draw.f1.mean()),
        undefined=(Lack.CLASS,),
        is_compared=True,
        can_promote=True,
    ),
    "weighted_f1": Metric(
        "weighted F1",
        "the same, each class by its images",
        Number(lambda draw: by.average_by_support(draw, draw.f1)),
    ),
    "matthews_correlation": Metric(
        "Matthews correlation",
        "agreement beyond chance, 0 for guessing and 1 for no error",
        Number(by.measure_correlation),
        bounds=(-1, 1),
        undefined=(Lack.SECOND_CLASS,),
        can_promote=True,
        source="Gorodkin 2004",
    ),
    "cohen_kappa": Metric(
        "Cohen's kappa",
        "agreement beyond chance, 0 for guessing and 1 for no error",
        Number(by.measure_kappa),
        bounds=(-1, 1),
        undefined=(Lack.SECOND_CLASS,),
        can_promote=True,
        source="Cohen 1960",
    ),
    "auc": Metric(
        "AUC",
        "mean over the classes of the area below the ROC curve, each against the rest",
        Number(lambda draw: draw.areas[0].mean()),
        undefined=(Lack.CLASS,),
        is_primary=True,
        is_compared=True,
        can_promote=True,
    ),
    "auprc": Metric(
        "AUPRC",
        "mean over the classes of the average precision, each against the rest",
        Number(lambda draw: draw.areas[1].mean()),
        undefined=(Lack.CLASS,),
    ),
    "screening_sensitivity": Metric(
        "screening sensitivity",
        "share of malignant images that are predicted malignant",
        Share(by.select_screening_sensitivity),
        needs="screening",
        undefined=(Lack.MALIGNANT,),
        is_primary=True,
    ),
    "screening_specificity": Metric(
        "screening specificity",
        "share of benign images that are predicted benign",
        Share(by.select_screening_specificity),
        needs="screening",
        undefined=(Lack.BENIGN,),
        is_primary=True,
    ),
    "screening_ppv": Metric(
        "screening PPV",
        "share of images predicted malignant that are",
        Share(by.select_screening_ppv),
        needs="screening",
        undefined=(*_BOTH, Lack.MALIGNANT_PREDICTION),
    ),
    "screening_npv": Metric(
        "screening NPV",
        "share of images predicted benign that are",
        Share(by.select_screening_npv),
        needs="screening",
        undefined=(*_BOTH, Lack.BENIGN_PREDICTION),
    ),
    "screening_ppv_at_prevalence": Metric(
        "screening PPV at prevalence",
        _AT_PREVALENCE,
        Combined(_RATES, by.find_positive_value),
        needs="screening",
        undefined=(*_BOTH, Lack.MALIGNANT_PREDICTION),
    ),
    "screening_npv_at_prevalence": Metric(
        "screening NPV at prevalence",
        _AT_PREVALENCE,
        Combined(_RATES, by.find_negative_value),
        needs="screening",
        undefined=(*_BOTH, Lack.BENIGN_PREDICTION),
    ),
    "screening_auc": Metric(
        "screening AUC",
        "area below the ROC curve, malignant against benign",
        Number(lambda draw: draw.screening_areas[0]),
        needs="screening",
        undefined=_BOTH,
        redundant_of_two=True,
    ),
    "screening_auprc": Metric(
        "screening AUPRC",
        "average precision, malignant against benign",
        Number(lambda draw: draw.screening_areas[1]),
        needs="screening",
        undefined=_BOTH,
        redundant_of_two=True,
    ),
    "support_*": Metric("support", "number of images", Count(by.count_images), "class", bounds=(0, inf), ideal=None),
    "sensitivity_*": Metric(
        "sensitivity",
        "share of the class's images that are predicted as it",
        Share(by.select_sensitivity),
        "class",
        undefined=(Lack.OWN,),
    ),
    "specificity_*": Metric(
        "specificity",
        "share of other images that are not predicted as it",
        Share(by.select_specificity),
        "class",
        undefined=(Lack.OTHERS,),
        redundant_of_two=True,
    ),
    "precision_*": Metric(
        "precision",
        "share of images predicted as the class that are of it",
        Share(by.select_precision),
        "class",
        undefined=(Lack.OWN, Lack.OTHERS, Lack.OWN_PREDICTION),
    ),
    "npv_*": Metric(
        "NPV",
        "share of images not predicted as the class that are not of it",
        Share(by.select_npv),
        "class",
        undefined=(Lack.OWN, Lack.OTHERS, Lack.OTHER_PREDICTION),
        redundant_of_two=True,
    ),
    "f1_*": Metric(
        "F1",
        "harmonic mean of precision and sensitivity",
        Number(lambda draw: draw.f1),
        "class",
        undefined=(Lack.OWN,),
    ),
    "auc_*": Metric(
        "AUC",
        "area below the ROC curve, the class against the rest",
        Number(lambda draw: draw.areas[0]),
        "class",
        undefined=(Lack.OWN, Lack.OTHERS),
        redundant_of_two=True,
    ),
    "auprc_*": Metric(
        "AUPRC",
        "average precision, the class against the rest",
        Number(lambda draw: draw.areas[1]),
        "class",
        undefined=(Lack.OWN, Lack.OTHERS),
    ),
} | TRUST_METRICS


def list_compared() -> list[str]:
    """List the metrics whose test values are in ``comparison.csv``."""
    return [name for name, metric in METRICS.items() if metric.is_compared]


def list_promoting() -> list[str]:
    """List the metrics that can decide a promotion."""
    return [name for name, metric in METRICS.items() if metric.can_promote]

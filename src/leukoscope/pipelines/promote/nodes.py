"""Register the candidate model if it beats the champion."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from leukoscope.core.errors import InputError
from leukoscope.core.fingerprint import fingerprint_table
from leukoscope.images.packed import PackedImages
from leukoscope.pipelines.evaluation.options import EvaluationOptions
from leukoscope.pipelines.promote.options import PromotionOptions, ServingOptions
from leukoscope.reader.base import Reader, Registry

logger = logging.getLogger(__name__)

_LOOKS = (
    "%d trained models were evaluated on these test images, and %d on any of the same data set, as in folds: the best "
    "of many is a little lucky"
)


def judge_candidate(
    reader: Reader,
    registry: Registry,
    smears: PackedImages,
    splits: pd.DataFrame,
    known: list[dict[str, Any]],
    options: PromotionOptions,
    evaluation: EvaluationOptions,
    seed: int,
) -> dict[str, Any]:
    """Compare a reader with the champion on the same test images, which are new to both.

    Args:
        reader: The candidate.
        registry: Provides the champion.
        smears: The packed images.
        splits: Which images are in the test split.
        known: All evaluations so far, for counting how often these test images have been looked at.
        options: The promotion rule.
        evaluation: How metrics and intervals are computed.
        seed: Random seed for the intervals.

    Returns:
        ``wins`` (whether to promote the candidate), ``why`` in words, the metrics of both, and the images they were
        measured on; without metrics if only the certificate differs, which no metric reflects. ``looks`` is the number
        of trained models evaluated on these test images, and ``looks_at_data`` the number evaluated on any test images
        of the same data set: the best of many is a little lucky.

    Raises:
        InputError: Too few test images are new to both, the metric is undefined on them, or the candidate could not
            be served.
    """
    from leukoscope.evaluation import evaluations

    _require_servable(reader)
    champion = registry.find_champion()
    present = evaluations.fingerprint_test(splits)
    facts: dict[str, Any] = {
        "candidate": reader.model,
        "candidate_fingerprint": reader.fingerprint,
        "metric": options.metric,
    }
    facts["looks"] = evaluations.count_looks(known, present)
    facts["looks_at_data"] = evaluations.count_looks_at_data(known, present)
    logger.info(_LOOKS, facts["looks"], facts["looks_at_data"])
    if champion is None:
        test = _select_new(splits, smears, [reader], options.min_images)
        mine = _score(reader, smears, test, evaluation, options.metric)[0]
        return facts | _count(test) | {"candidate_figure": mine, "wins": True, "why": "there was no champion"}
    facts |= {"champion": champion.reader.model, "champion_version": champion.version}
    if champion.reader.fingerprint == reader.fingerprint and (champion.reader.scale or not reader.scale):
        return facts | {"wins": False, "why": f"it is the champion already, as version {champion.version}"}
    if champion.experiment != registry.experiment and not options.over_other_experiments:
        why = f"the champion is of the experiment {champion.experiment} (see promotion.over_other_experiments)"
        return facts | {"wins": False, "why": why}
    champion.reader.require_classes(reader.class_names)
    if champion.reader.asking_again().fingerprint == reader.asking_again().fingerprint:
        why = f"it is the champion, version {champion.version}, but {_tell_apart(reader, champion.reader)}"
        return facts | {"wins": True, "why": why}
    test = _select_new(splits, smears, [reader, champion.reader], options.min_images)
    mine, hits = _score(reader, smears, test, evaluation, options.metric)
    theirs, their_hits = _score(champion.reader, smears, test, evaluation, options.metric)
    pair = _compare(hits, their_hits, test["group"], evaluation, seed)
    wins, why = _apply(options, mine, theirs, pair)
    figures = {"candidate_figure": mine, "champion_figure": theirs} | pair
    return facts | _count(test) | figures | {"wins": wins, "why": why}


def _tell_apart(reader: Reader, champion: Reader) -> str:
    """Describe how a reader differs from a champion with the same metrics."""
    if reader.certificate == champion.certificate:
        return "tells photographs and crops from fields, which the champion does not"
    asks = "does not ask again" if reader.certificate is None else "asks again under other stains, lights and cameras"
    return f"{asks} (evaluation.certificate)"


def _require_servable(reader: Reader) -> None:
    """Make sure that a reader loaded from the registry needs no code of the user's."""
    from leukoscope.cells.detector import CLASSICAL
    from leukoscope.models.stored import list_detectors

    if detectors := sorted(list_detectors(reader.classifier) - {CLASSICAL}):
        raise InputError(
            f"The model {reader.model} finds cells by {', '.join(detectors)}, which is code of yours and no part of "
            f"the model: what serves it would not import that. Promote one with cells.detector={CLASSICAL}."
        )


def _select_new(splits: pd.DataFrame, smears: PackedImages, readers: list[Any], least: int) -> pd.DataFrame:
    """Select the test images in groups from which no reader has seen an image in training or calibration."""
    for reader in readers:
        reader.require_size(smears.pixels.shape[1])
    hashes = splits["image_id"].map(smears.records.set_index("image_id")["sha256"])
    test = splits[splits["split"] == "test"]
    known_hashes = set().union(*(reader.seen["sha256"] for reader in readers))
    new = test[~test["group"].isin(set(splits.loc[hashes.isin(known_hashes), "group"]))]
    if len(new) < least:
        raise InputError(
            f"Of {len(test)} test images {len(new)} are new to the candidate and the champion; promotion.min_images "
            f"asks for {least}. The champion learned from the others: give a test set that is new to both, or take "
            f"the alias of the champion away."
        )
    if len(new) < len(test):
        logger.warning("Of %d test images, %d are new to both readers: only these are compared", len(test), len(new))
    return new.reset_index(drop=True)


def _score(
    reader: Reader, smears: PackedImages, test: pd.DataFrame, evaluation: EvaluationOptions, metric: str
) -> tuple[float, Any]:
    """Return the rule's metric, and which images the reader's classifier gets right."""
    from leukoscope.evaluation.scoring import Scoring

    names = list(reader.class_names)
    probabilities, _ = reader.predictor.predict(smears.pixels, smears.rows(test["image_id"]))
    how = Scoring(names, evaluation.benign_class, evaluation.prevalence)
    truth = pd.Index(names).get_indexer(test["label"])
    figure = how.score(test["label"].to_numpy(), probabilities)[metric]
    if figure is None:
        raise InputError(
            f"{metric} is undefined on the {len(test)} test images that are new to the readers, most often since a "
            f"class is not among them. Choose another promotion.metric, or give more test images."
        )
    return figure, probabilities.argmax(axis=1) == truth


def _compare(hits: Any, their_hits: Any, groups: pd.Series, evaluation: EvaluationOptions, seed: int) -> dict[str, Any]:
    from leukoscope.evaluation import significance

    both = {"candidate": hits, "champion": their_hits}
    pair = significance.compare_pairs(both, groups, evaluation.confidence, seed).iloc[0]
    figures = {f"accuracy_{name}": float(pair[name]) for name in ("difference", "low", "high")}
    return figures | {"p": float(pair["group_p"]), "significant": bool(pair["shown"])}


def _apply(options: PromotionOptions, mine: float, theirs: float, pair: Mapping[str, Any]) -> tuple[bool, str]:
    words = f"{options.metric} {mine:.4f} against the champion's {theirs:.4f}"
    if mine - theirs <= options.min_gain:
        return False, f"{words}: not more than promotion.min_gain, {options.min_gain:g}, above it"
    if options.significant and not (pair["significant"] and pair["accuracy_difference"] > 0):
        return False, f"{words}, but the difference could be chance (p {pair['p']:.3f}; promotion.significant)"
    return True, f"{words}: more than {options.min_gain:g} above it"


def _count(test: pd.DataFrame) -> dict[str, Any]:
    return {"test_images": len(test), "test_fingerprint": fingerprint_table(test)}


def register_reader(
    reader: Reader,
    judgement: dict[str, Any],
    model_cards: Mapping[str, Callable[[], str]],
    serving: ServingOptions,
) -> dict[str, Any]:
    """Request the registration of a reader that wins.

    Args:
        reader: The candidate.
        judgement: Whether it wins, and why.
        model_cards: Functions that load each model's card; the card is optional.
        serving: The limits on requests.

    Returns:
        The request to the registry.
    """
    card = model_cards.get(f"{reader.model}/model_card")
    return {
        "reader": reader,
        "limits": serving.model_dump(),
        "card": card() if card else None,
        "why": judgement,
    }


def record_promotion(judgement: dict[str, Any], registration: Registry) -> dict[str, Any]:
    """Record the outcome of the judgement, once the registry has answered.

    Args:
        judgement: Whether the candidate wins, and why.
        registration: The registry, after the request.

    Returns:
        The judgement, with ``promoted`` and ``version`` (``None`` unless promoted).
    """
    name = judgement["candidate"]
    version = registration.promoted
    if version is not None:
        logger.info("%s is promoted: %s", name, judgement["why"])
    else:
        logger.warning("%s is not promoted: %s", name, judgement["why"])
    return judgement | {"promoted": version is not None, "version": version}

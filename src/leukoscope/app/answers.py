"""Handle the forms of the page: each answer is a line of text for the sender."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
from kedro.io import DatasetError

from leukoscope.app.doubts import Doubt, Doubts, form_label_review
from leukoscope.app.read_image import ReadImage
from leukoscope.app.reviews import UnusableReviewError, add_circumstances, form_review, repeats, tabulate_review
from leukoscope.app.session import Session
from leukoscope.evaluation.readings import BLIND, UNBLINDED

logger = logging.getLogger(__name__)


async def answer_review(
    session: Session, keep: Callable[[pd.DataFrame], None], image: ReadImage, phase: str, entered: Any
) -> str:
    """Save a review of an image, and report that it was saved to disk, or why it was not.

    Args:
        session: The session that contains the image.
        keep: Saves reviews, given as rows of the data set ``reviews``.
        image: The reviewed image.
        phase: The phase of the form; a form is outdated if its phase differs from the image's.
        entered: The fields of the form: ``answer`` and ``note``, ``seconds`` and ``grade``.
    """
    async with session.lock:
        if phase != session.blinding.phase(image.sha256):
            return "Nothing was kept: the opinion has been shown in the meantime. Look at it and answer again."
        return await _keep_review(session, keep, image, phase, entered if isinstance(entered, dict) else {})


async def _keep_review(
    session: Session, keep: Callable[[pd.DataFrame], None], image: ReadImage, phase: str, fields: dict[str, Any]
) -> str:
    seen = session.find_showing(image.sha256) if phase == BLIND else None
    try:
        said = form_review(fields.get("answer"), fields.get("note"), session.reviewer, image)
        review = add_circumstances(said, phase, fields, session.name)
        review = replace(review, phase=UNBLINDED) if seen else review
        if repeats(review, session.reviews.get(image.sha256)):
            return f"Already kept: {review.summary}."
        await asyncio.to_thread(keep, tabulate_review(review, image, session.origin))
    except UnusableReviewError as error:
        return str(error)
    except DatasetError as error:
        logger.error("A review was not kept: %s", error)
        return f"Nothing was kept: {error}"
    if image.sha256 in session.images:
        session.reviews[image.sha256] = review
        if seen:
            session.blinding.release(image.sha256)
        session.blinding.commit(image.sha256, review)
    if seen:
        when = f"{seen[:16].replace('T', ' ')} UTC"
        return f"Kept: {review.summary}, but not as blind, because the opinion on it was shown to you ({when})."
    return f"Kept: {review.summary}."


async def answer_doubt(session: Session, doubts: Doubts, doubt: Doubt, entered: Any) -> str:
    """Save a review of a doubtful label, and report that it was saved to disk, or why it was not."""
    fields = entered if isinstance(entered, dict) else {}
    try:
        given = fields.get("answer"), fields.get("note"), session.reviewer
        await asyncio.to_thread(doubts.keep, form_label_review(*given, doubt, doubts.class_names))
    except UnusableReviewError as error:
        return str(error)
    except DatasetError as error:
        logger.error("A review of a label was not kept: %s", error)
        return f"Nothing was kept: {error}"
    return f"Kept: {doubts.verdict(doubt)}."

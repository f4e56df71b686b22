"""Blind reading: withhold the predictions of a session until the reviewer has named a class."""

from leukoscope.app.reviews import Review
from leukoscope.evaluation.readings import BLIND, REVISED, UNBLINDED


class Blinding:
    """Decides what may be shown of the images of a session.

    Attributes:
        on: Whether the predictions for new images are withheld.
        words: The blind review of each image, before its prediction was shown, by SHA-256.

    Args:
        on: The initial value of ``on``.
    """

    def __init__(self, on: bool = False) -> None:
        self.on = on
        self.words: dict[str, Review] = {}
        self._held: set[str] = set()

    def take(self, sha256: str) -> None:
        """Withhold the prediction for an image, if the mode is on."""
        if self.on:
            self._held.add(sha256)

    def is_held(self, sha256: str) -> bool:
        """Check whether an image's prediction is withheld, so that nothing depending on it may leave the server."""
        return sha256 in self._held

    def phase(self, sha256: str) -> str:
        """Return the phase of a review of an image made now."""
        if self.is_held(sha256):
            return BLIND
        return REVISED if sha256 in self.words else UNBLINDED

    def commit(self, sha256: str, review: Review) -> None:
        """Record a blind review that was saved to disk; the image's prediction may be shown from now on."""
        if self.is_held(sha256):
            self.words[sha256] = review
            self._held.discard(sha256)

    def release(self, sha256: str) -> None:
        """Show a prediction from now on without a blind review, since the reviewer has seen it before."""
        self._held.discard(sha256)

    def turn(self, on: bool) -> list[str]:
        """Turn the mode on or off; return the images whose predictions were withheld until now and no longer are."""
        self.on = on
        if on:
            return []
        shown = sorted(self._held)
        self._held = set()
        return shown

    def forget(self) -> None:
        """Forget all images but keep the mode; which predictions were shown is remembered elsewhere."""
        self.words.clear()
        self._held.clear()

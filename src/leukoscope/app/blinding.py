"""Reading blind first: which opinions of a session are kept back until the reader has said a class."""

from leukoscope.app.reviews import Review
from leukoscope.evaluation.readings import BLIND, REVISED, UNBLINDED


class Blinding:
    """What may be shown of the images of a session.

    Attributes:
        on: Whether the opinion on images that come is kept back.
        words: What was said of an image before its opinion was shown, by SHA-256.

    Args:
        on: The same, at first.
    """

    def __init__(self, on: bool = False) -> None:
        self.on = on
        self.words: dict[str, Review] = {}
        self._held: set[str] = set()

    def take(self, sha256: str) -> None:
        """Keep the opinion on an image back, if the mode is on."""
        if self.on:
            self._held.add(sha256)

    def is_held(self, sha256: str) -> bool:
        """Say whether the opinion on an image is kept back: nothing that depends on it may leave the server."""
        return sha256 in self._held

    def phase(self, sha256: str) -> str:
        """Give the phase of what is said of an image now."""
        if self.is_held(sha256):
            return BLIND
        return REVISED if sha256 in self.words else UNBLINDED

    def commit(self, sha256: str, review: Review) -> None:
        """Take the word of a reader that was kept on the disk; its opinion may be shown from now on."""
        if self.is_held(sha256):
            self.words[sha256] = review
            self._held.discard(sha256)

    def release(self, sha256: str) -> None:
        """Show an opinion from now on, without a blind word: the reader has seen it before."""
        self._held.discard(sha256)

    def turn(self, on: bool) -> list[str]:
        """Turn the mode on or off; give the images whose opinion was kept back until now, and is not any more."""
        self.on = on
        if on:
            return []
        shown = sorted(self._held)
        self._held = set()
        return shown

    def forget(self) -> None:
        """Forget all images, and nothing of the mode; that opinions were shown is remembered elsewhere."""
        self.words.clear()
        self._held.clear()

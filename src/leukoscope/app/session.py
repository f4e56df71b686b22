"""A session of the review page: its images and reviews, and the files that it accepts."""

import asyncio
import csv
import hashlib
import io
import uuid
from collections.abc import AsyncIterator, Mapping
from copy import copy, deepcopy
from dataclasses import fields
from typing import Any

from leukoscope.app.blinding import Blinding
from leukoscope.app.options import AppOptions
from leukoscope.app.read_image import ReadImage
from leukoscope.app.reviews import MAX_NAME, Review, tabulate_image, write_name
from leukoscope.app.showings import Showings
from leukoscope.core.counts import count_of
from leukoscope.core.storage import defuse_formula

_FREE_TEXT = ("file_name", "note", "reviewer")
_NO_REVIEW = dict.fromkeys(field.name for field in fields(Review))


class RefusedError(ValueError):
    """A file that the session does not accept; the message is for the sender."""


class Session:
    """The images of one browser tab, in order of arrival, and the last review of each. In memory only.

    Args:
        max_images: Maximum number of images.
        origin: ``model``, ``model_fingerprint`` and ``data`` of the reader.
        trained_on: Whether the reader learned from drawn images, in words.
        max_full_bytes: Maximum total size of its full-size pictures.
        blind_first: Whether predictions are initially withheld.
        showings: The record of predictions shown to whom, including other sessions.
    """

    def __init__(
        self,
        max_images: int,
        origin: Mapping[str, str],
        trained_on: str = "not recorded",
        max_full_bytes: int = AppOptions().max_full_bytes,
        blind_first: bool = False,
        showings: Showings | None = None,
    ) -> None:
        self._max_images = max_images
        self.origin = origin
        self._trained_on = trained_on
        self._max_full_bytes = max_full_bytes
        self.images: dict[str, ReadImage] = {}
        self.reviews: dict[str, Review] = {}
        self.reviewer = ""
        self.blinding = Blinding(blind_first)
        self._showings = Showings() if showings is None else showings
        # Held while a review is saved, so that there is only one blind review of an image.
        self.lock = asyncio.Lock()
        # Identifies this opening of the page in reviews; it grants no access.
        self.name = uuid.uuid4().hex[:12]
        self.browser = self.name  # until the browser identifies itself
        self.together = uuid.uuid4().hex  # for the monitoring log, if there is one

    def require_room(self) -> None:
        """Check that there is room for another image.

        Raises:
            RefusedError: The session is full.
        """
        if len(self.images) >= self._max_images:
            raise RefusedError(
                f"this session holds {count_of(len(self.images), 'image')} and is full: export it, "
                f"forget them and continue"
            )

    def require_new(self, data: bytes) -> None:
        """Check that a file is not yet in the session.

        Raises:
            RefusedError: The session contains the file, under any name.
        """
        known = list(self.images)
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 in known:
            raise RefusedError(f"the same file as image {known.index(sha256) + 1} of this session")

    def add(self, image: ReadImage) -> int:
        """Add an image, and return its number, from 1; its full-size picture is kept only if there is room."""
        held = sum(len(image.full or b"") for image in self.images.values())
        if held + len(image.full or b"") > self._max_full_bytes:
            image = image._replace(full=None)
        self.blinding.take(image.sha256)
        self.images[image.sha256] = image
        if not self.blinding.is_held(image.sha256):
            self._note_showing(image.sha256)
        return len(self.images)

    def turn_blind(self, on: bool) -> list[str]:
        """Turn blind reading on or off; return the images whose predictions are shown from now on."""
        shown = self.blinding.turn(on)
        for sha256 in shown:
            self._note_showing(sha256)
        return shown

    def find_showing(self, sha256: str) -> str | None:
        """Return when an image's prediction was shown to the current reviewer, in any session; else ``None``."""
        return self._showings.find(sha256, *self._tell_who())

    def _note_showing(self, sha256: str) -> None:
        self._showings.add(sha256, *self._tell_who())

    def _tell_who(self) -> tuple[str, str]:
        """Return the reviewer and the browser in a form that can be saved, whatever was entered."""
        name = write_name(self.reviewer)[:MAX_NAME]
        return name.encode(errors="replace").decode(), self.browser.encode(errors="replace").decode()

    def get(self, number: int) -> ReadImage | None:
        """Return an image by its number; ``None`` if there is none."""
        return dict(enumerate(self.images.values(), start=1)).get(number)

    def freeze(self) -> "Session":
        """Copy the current state, for another thread to read while the session continues."""
        frozen = copy(self)
        frozen.images = {sha256: image._replace(maps=dict(image.maps)) for sha256, image in self.images.items()}
        frozen.reviews = dict(self.reviews)
        frozen.blinding = deepcopy(self.blinding)
        return frozen

    def forget(self) -> None:
        """Forget images and reviews; reviews saved to disk stay there."""
        self.images.clear()
        self.reviews.clear()
        self.blinding.forget()

    def list_rows(self) -> list[dict[str, Any]]:
        """Return one table row per image: what was read, unless it is withheld, and the last review."""
        return [
            {"number": number}
            | self._tabulate(image)
            | {"drawn": image.drawn, "trained_on": self._trained_on}
            | (vars(self.reviews[image.sha256]) if image.sha256 in self.reviews else _NO_REVIEW)
            for number, image in enumerate(self.images.values(), start=1)
        ]

    def _tabulate(self, image: ReadImage) -> dict[str, Any]:
        row = tabulate_image(image, self.origin)
        if not self.blinding.is_held(image.sha256):
            return row
        kept = ("sha256", "file_name", *self.origin)
        return {name: value if name in kept else None for name, value in row.items()}

    def write_csv(self) -> str:
        """Write the session as CSV in which no spreadsheet mistakes free text for a formula."""
        rows = self.list_rows()
        content = io.StringIO()
        writer = csv.DictWriter(content, rows[0] if rows else ["number"], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow(row | {name: defuse_formula(row[name]) for name in _FREE_TEXT})
        return content.getvalue()


async def gather(parts: AsyncIterator[bytes], max_bytes: int) -> bytes:
    """Join the parts of a file as they arrive, and stop as soon as there are too many bytes.

    Raises:
        RefusedError: The file is too large.
    """
    content = bytearray()
    async for part in parts:
        content += part
        if len(content) > max_bytes:
            raise RefusedError(describe_excess(max_bytes))
    return bytes(content)


def describe_excess(max_bytes: int) -> str:
    """Describe that a file is too large."""
    return f"too large: at most {max_bytes:,} bytes are allowed. Send a smaller copy or raise app.max_bytes"

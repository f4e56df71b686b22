"""What every page says of itself: its images, when and where it was written, and which pages are beside it."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

import pandas as pd

from leukoscope.core.commands import name_environment
from leukoscope.core.drawn import warn_of_images
from leukoscope.images.manifest import ACCEPTED
from leukoscope.images.origin import Origin


class Frame(NamedTuple):
    """The head of a page.

    Attributes:
        data_set: The name of the images.
        smears: Whether they are drawn or real, as far as is known.
        date: When the page was written, ISO 8601, UTC.
        environment: Of Kedro, in which it was.
        pages: The pages that are there, by their paths below the folder of reports.
        provenance: Software, commit and seed.
    """

    data_set: str = ""
    smears: str = ""
    date: str = ""
    environment: str = ""
    pages: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = {}

    @classmethod
    def make(
        cls,
        source: Mapping[str, str | None],
        origin: Origin,
        is_published: bool,
        pages: Iterable[str],
        provenance: Mapping[str, Any],
    ) -> Self:
        """Make the head of what is written now, in the environment of the session at work.

        Args:
            source: What people know of the images, of which this takes the ``name``.
            origin: Where the images come from.
            is_published: Whether they are those of the published study.
            pages: Those that are there.
            provenance: Software, commit and seed.
        """
        today = datetime.now(UTC).date().isoformat()
        name = source.get("name") or "images without a name"
        smears = name_smears(origin, is_published)
        return cls(name, smears, today, name_environment(), tuple(pages), dict(provenance))

    def add(self, pages: Iterable[str]) -> Self:
        """Give the same head with more pages beside it."""
        return self._replace(pages=tuple(dict.fromkeys([*self.pages, *pages])))


NO_FRAME = Frame()


def name_smears(origin: Origin, is_published: bool) -> str:
    """Say in a few words whether smears are drawn or real, as far as is known.

    Args:
        origin: Where the images come from.
        is_published: Whether they are those of the published study.
    """
    if origin.drawn:
        all_drawn = origin.drawn == origin.images
        return "drawn smears" if all_drawn else f"{origin.drawn:,} of {origin.images:,} smears drawn"
    return "real smears" if is_published else "real smears, as far as is known: none bears the mark of a drawn one"


def warn_of_manifest(manifest: pd.DataFrame) -> list[str]:
    """Say how many of a manifest's accepted images are drawn, if any are: the first thing on a page.

    Args:
        manifest: Every file found; one of an earlier version does not say which are drawn.
    """
    accepted = manifest[manifest["status"] == ACCEPTED]
    warning = warn_of_images(int(accepted["drawn"].sum()) if "drawn" in accepted else 0, len(accepted))
    return [warning] if warning else []

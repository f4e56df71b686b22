"""The header of a page: its images, when and where it was written, and which other pages exist."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

import pandas as pd

from leukoscope.core.commands import name_environment
from leukoscope.core.drawn import warn_of_images
from leukoscope.images.manifest import ACCEPTED
from leukoscope.images.origin import Origin


class Frame(NamedTuple):
    """The header of a page.

    Attributes:
        data_set: Name of the images.
        smears: Whether they are drawn or real, if known.
        date: The date on which the page was written, ISO 8601, UTC.
        environment: The Kedro environment in which it was written.
        pages: The existing pages, as paths below the reports folder.
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
        """Create the header for a page written now, in the environment of the current session.

        Args:
            source: Facts stated by people, of which this uses the ``name``.
            origin: Where the images come from.
            is_published: Whether they are the images of the published study.
            pages: The existing pages.
            provenance: Software, commit and seed.
        """
        today = datetime.now(UTC).date().isoformat()
        name = source.get("name") or "images without a name"
        smears = name_smears(origin, is_published)
        return cls(name, smears, today, name_environment(), tuple(pages), dict(provenance))

    def add(self, pages: Iterable[str]) -> Self:
        """Return the same header with further pages."""
        return self._replace(pages=tuple(dict.fromkeys([*self.pages, *pages])))


NO_FRAME = Frame()


def name_smears(origin: Origin, is_published: bool) -> str:
    """Describe briefly whether smears are drawn or real, if known.

    Args:
        origin: Where the images come from.
        is_published: Whether they are the images of the published study.
    """
    if origin.drawn:
        all_drawn = origin.drawn == origin.images
        return "drawn smears" if all_drawn else f"{origin.drawn:,} of {origin.images:,} smears drawn"
    return "real smears" if is_published else "real smears, as far as known: none carries the mark of a drawn one"


def warn_of_manifest(manifest: pd.DataFrame) -> list[str]:
    """Return a warning on how many of a manifest's accepted images are drawn, if any; pages show it first.

    Args:
        manifest: Every file found; a manifest of an earlier version lacks the information.
    """
    accepted = manifest[manifest["status"] == ACCEPTED]
    warning = warn_of_images(int(accepted["drawn"].sum()) if "drawn" in accepted else 0, len(accepted))
    return [warning] if warning else []

"""What every page says of itself: its images, when and where it was written, and which pages are beside it."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

from leukoscope.core.commands import name_environment
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

    @classmethod
    def make_plain(cls, provenance: Mapping[str, Any]) -> Self:
        """Make the head of a page that is not about one set of images: when and in which environment it was written.

        Args:
            provenance: Software, commit and seed.
        """
        today = datetime.now(UTC).date().isoformat()
        return cls(date=today, environment=name_environment(), provenance=dict(provenance))

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

"""The facts about the images that every page shows, whichever models were trained on them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from leukoscope.images.origin import Origin
from leukoscope.reporting import sources
from leukoscope.reporting.frame import NO_FRAME, Frame

if TYPE_CHECKING:
    from leukoscope.reporting.worth import Worth


class PageContext(NamedTuple):
    """The facts about the images that every page shows.

    Attributes:
        data_sheet: Facts computed from the images.
        source: Facts about the images stated by people.
        software: Versions, the commit and the seed.
        worth: Reference results for judging accuracies on these images.
        is_published: Whether they are the images of the published study.
        frame: The header of each page.
    """

    data_sheet: dict[str, Any]
    source: dict[str, str | None]
    software: dict[str, Any]
    worth: "Worth"
    is_published: bool
    frame: Frame = NO_FRAME

    @classmethod
    def gather(
        cls,
        data_sheet: dict[str, Any],
        stated: Mapping[str, Any],
        software: dict[str, Any],
        worth: "Worth",
        pages: Iterable[str] = (),
    ) -> Self:
        """Join the computed facts about the images with those stated by the user.

        Args:
            data_sheet: Facts computed from the images.
            stated: The parameters ``data_sheet``.
            software: Versions, the commit and the seed.
            worth: Reference results for judging accuracies on these images.
            pages: The existing pages, whichever run wrote them.
        """
        origin = Origin(**data_sheet["origin"])
        is_published = origin.is_published(stated["published"])
        source = sources.describe(stated, origin)
        frame = Frame.make(source, origin, is_published, pages, software)
        return cls(data_sheet, source, software, worth, is_published, frame)

    @property
    def facts(self) -> tuple[dict[str, Any], dict[str, str | None], dict[str, Any], "Worth"]:
        """The template variables besides a result."""
        return self.data_sheet, self.source, self.software, self.worth

    def select_current(self, results: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
        """Select the results on the present splits of these images, and name those on other splits.

        The published study's metrics are left out if the images are not the published ones: a result may have been
        collected when the images were declared differently.

        Args:
            results: One per evaluated model.

        Returns:
            The results of the present splits, and the titles of the others.
        """
        splits = self.data_sheet["splits_fingerprint"]
        current = [result for result in results if result["training"]["splits"] == splits]
        others = [result["title"] for result in results if result["training"]["splits"] != splits]
        if not self.is_published:
            current = [sources.hide_published(result) for result in current]
        return current, others

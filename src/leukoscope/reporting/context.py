"""What every page says of the images, whatever was trained on them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from leukoscope.images.origin import Origin
from leukoscope.reporting import sources
from leukoscope.reporting.frame import NO_FRAME, Frame

if TYPE_CHECKING:
    from leukoscope.reporting.worth import Worth


class PageContext(NamedTuple):
    """What every page says of the images.

    Attributes:
        data_sheet: Their facts.
        source: What people know of them.
        software: Versions, the commit and the seed.
        worth: What accuracies on these images are worth.
        is_published: Whether they are those of the published study.
        frame: The head of each page.
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
        """Join the facts of the images with what their user states of them.

        Args:
            data_sheet: The facts.
            stated: The parameters ``data_sheet``.
            software: Versions, the commit and the seed.
            worth: What accuracies on these images are worth.
            pages: Those that are there, whoever wrote them.
        """
        origin = Origin(**data_sheet["origin"])
        is_published = origin.is_published(stated["published"])
        source = sources.describe(stated, origin)
        frame = Frame.make(source, origin, is_published, pages, software)
        return cls(data_sheet, source, software, worth, is_published, frame)

    @property
    def facts(self) -> tuple[dict[str, Any], dict[str, str | None], dict[str, Any], "Worth"]:
        """What the templates are filled with beside a result."""
        return self.data_sheet, self.source, self.software, self.worth

    def select_current(self, results: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
        """Select what was evaluated on the splits of these images, and name what was evaluated on others.

        The published study's figures are left out where the images are not the published ones: a result may have been
        gathered when something else was said of them.

        Args:
            results: One for each model that has been evaluated.

        Returns:
            The results of the present splits, and the titles of the others.
        """
        splits = self.data_sheet["splits_fingerprint"]
        current = [result for result in results if result["training"]["splits"] == splits]
        others = [result["title"] for result in results if result["training"]["splits"] != splits]
        if not self.is_published:
            current = [sources.hide_published(result) for result in current]
        return current, others

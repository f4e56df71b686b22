"""Parameters of reporting."""

from pydantic import ConfigDict

from leukoscope.core.options import Options
from leukoscope.images.origin import Origin


class DataSheetOptions(Options):
    """Facts about a set of images that people know and no computation can find; ``None`` if not stated."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    published: bool | None = None
    name: str | None = None
    source: str | None = None
    licence: str | None = None
    acquisition: str | None = None
    reference_standard: str | None = None
    collection: str | None = None
    dates: str | None = None
    blinding: str | None = None
    deidentification: str | None = None
    ethics: str | None = None
    sample_size: str | None = None
    patients: str | None = None
    demographics: str | None = None
    eligibility: str | None = None
    sites: str | None = None
    readers: str | None = None
    prevalence: str | None = None
    course: str | None = None

    def is_published(self, origin: Origin) -> bool:
        """Return whether images belong to the published data set.

        Raises:
            InputError: The user states that they do, but the images were drawn.
        """
        return origin.is_published(self.published)

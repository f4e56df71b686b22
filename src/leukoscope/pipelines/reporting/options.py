"""Parameters of reporting."""

from leukoscope.options import Options


class DataSheetOptions(Options):
    """What people know of a set of images, and no computation can find out."""

    name: str = "not described"
    source: str | None = None
    licence: str | None = None
    acquisition: str | None = None
    reference_standard: str | None = None
    patients: str | None = None
    collection: str | None = None
    ethics: str | None = None
    dates: str | None = None
    blinding: str | None = None
    deidentification: str | None = None

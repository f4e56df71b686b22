"""Parameters of external data."""

from leukoscope.core.options import Options
from leukoscope.pipelines.reporting.options import DataSheetOptions


class ExternalOptions(Options):
    """What the folders of external images hold, and what is known of the images."""

    class_map: dict[str, str] | None = None
    data_sheet: DataSheetOptions = DataSheetOptions()

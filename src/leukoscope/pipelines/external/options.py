"""Parameters of external data."""

from pydantic import field_validator

from leukoscope.core.options import Options
from leukoscope.images.layout import FOLDERS, require_layout
from leukoscope.pipelines.reporting.options import DataSheetOptions


class ExternalOptions(Options):
    """How external images are laid out, what their folders or labels hold, and what is known about them."""

    layout: str = FOLDERS
    class_map: dict[str, str] | None = None
    data_sheet: DataSheetOptions = DataSheetOptions()

    @field_validator("layout")
    @classmethod
    def _check_layout(cls, name: str) -> str:
        return require_layout(name)

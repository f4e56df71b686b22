"""Give opinions on images that nobody has labelled."""

import logging
from typing import Any

from leukoscope.images.packing_plan import PackingPlan
from leukoscope.images.source import ImageSource
from leukoscope.pipelines.ingestion.options import IngestionOptions
from leukoscope.reader.base import Reader

logger = logging.getLogger(__name__)


def read_images(images: ImageSource, reader: Reader, options: IngestionOptions) -> Any:
    """Plan the reading of all images; the data set that the plan is saved to carries it out.

    Args:
        images: Where they are.
        reader: Who reads.
        options: How many threads decode.

    Returns:
        A ``ReadingPlan``.
    """
    from leukoscope.reader.reading import ReadingPlan

    if reader.warning:
        logger.warning(reader.warning)
    return ReadingPlan(reader, PackingPlan(images, None, reader.image_size, reader.limits, options.workers))

"""Give opinions on images that nobody has labelled."""

import logging
from typing import Any

from leukoscope.cluster.options import ClusterOptions
from leukoscope.core.errors import InputError
from leukoscope.images.packing_plan import PackingPlan
from leukoscope.images.source import ImageSource
from leukoscope.models.base import Classifier
from leukoscope.pipelines.ingestion.options import IngestionOptions
from leukoscope.pipelines.monitoring.options import MonitoringOptions
from leukoscope.pipelines.reader.options import ReaderOptions
from leukoscope.reader.base import Reader

logger = logging.getLogger(__name__)


def read_images(
    images: ImageSource,
    reader: Reader,
    engine: Classifier | None,
    choice: ReaderOptions,
    options: IngestionOptions,
    cluster: ClusterOptions,
    monitoring: MonitoringOptions,
) -> Any:
    """Plan the reading of all images; the data set that the plan is saved to carries it out.

    Args:
        images: Where they are.
        reader: Who reads.
        engine: What may answer for it in Keras' place.
        choice: Whether it is to.
        options: How many threads decode.
        cluster: Whose workers read, if there is one.
        monitoring: Whether what is watched of opinions is logged.

    Returns:
        A ``ReadingPlan``.

    Raises:
        InputError: Only the engine is to answer, and there is none of this reader.
    """
    from leukoscope.reader.reading import ReadingPlan

    if reader.warning:
        logger.warning(reader.warning)
    is_own = engine is not None and engine.fingerprint == reader.classifier.fingerprint
    if choice.engine == "onnx" and not is_own:
        raise InputError(
            f"reader.engine is onnx, and there is no file of {reader.title} that was held against Keras. Run the whole "
            f"pipeline predict, which makes one, or set reader.engine to auto."
        )
    answering = reader.answered_by(engine if is_own and choice.engine != "keras" else None)
    logger.info("%s answers by %s", reader.title, answering.engine_title)
    facts = reader.image_size, reader.limits, options.workers, cluster
    packing = PackingPlan(images, None, *facts, scale=reader.scale)
    return ReadingPlan(answering, packing, monitoring.log_predictions)

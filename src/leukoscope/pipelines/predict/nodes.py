"""Give opinions on unlabelled images."""

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
    """Plan the reading of all images, which the data set carries out when the plan is saved.

    Args:
        images: Where the images are.
        reader: The second reader.
        engine: The engine that may compute predictions instead of Keras.
        choice: Whether to use the engine.
        options: The number of decoding threads.
        cluster: The cluster whose workers read, if there is one.
        monitoring: Whether to log opinions for monitoring.

    Returns:
        A ``ReadingPlan``.

    Raises:
        InputError: The parameters require the engine, but this reader has none.
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

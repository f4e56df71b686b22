"""From raw images to a packed array of them and a manifest."""

from leukoscope.pipelines.ingestion.pipeline import create_pipeline as create_pipeline

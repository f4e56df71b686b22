"""The pipeline `ingestion`."""

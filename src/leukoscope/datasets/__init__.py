"""Leukoscope's own Kedro data sets."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from leukoscope.datasets.cells import CellImagesDataset as CellImagesDataset
    from leukoscope.datasets.cells import CellStripsDataset as CellStripsDataset
    from leukoscope.datasets.cells import KnownCellsDataset as KnownCellsDataset
    from leukoscope.datasets.evaluation_records import EvaluationRecordsDataset as EvaluationRecordsDataset
    from leukoscope.datasets.evaluations import EvaluationsDataset as EvaluationsDataset
    from leukoscope.datasets.figure_dataset import FigureDataset as FigureDataset
    from leukoscope.datasets.files import BinaryDataset as BinaryDataset
    from leukoscope.datasets.files import CSVDataset as CSVDataset
    from leukoscope.datasets.files import JSONDataset as JSONDataset
    from leukoscope.datasets.files import ParquetDataset as ParquetDataset
    from leukoscope.datasets.files import TextDataset as TextDataset
    from leukoscope.datasets.generated_images import GeneratedImagesDataset as GeneratedImagesDataset
    from leukoscope.datasets.label_reviews import LabelReviewsDataset as LabelReviewsDataset
    from leukoscope.datasets.ledgers import LedgerDataset as LedgerDataset
    from leukoscope.datasets.ledgers import TrialLedgerDataset as TrialLedgerDataset
    from leukoscope.datasets.opinion_log import OpinionLogDataset as OpinionLogDataset
    from leukoscope.datasets.optional import OptionalDataset as OptionalDataset
    from leukoscope.datasets.packed_images_dataset import PackedImages as PackedImages
    from leukoscope.datasets.packed_images_dataset import PackedImagesDataset as PackedImagesDataset
    from leukoscope.datasets.pages import PagesDataset as PagesDataset
    from leukoscope.datasets.partitions import PartitionedDataset as PartitionedDataset
    from leukoscope.datasets.raw_images_dataset import AnyImagesDataset as AnyImagesDataset
    from leukoscope.datasets.raw_images_dataset import RawImagesDataset as RawImagesDataset
    from leukoscope.datasets.reader import EngineDataset as EngineDataset
    from leukoscope.datasets.reader import OpinionsDataset as OpinionsDataset
    from leukoscope.datasets.reader import ReaderRegistryDataset as ReaderRegistryDataset
    from leukoscope.datasets.reader import SecondReaderDataset as SecondReaderDataset
    from leukoscope.datasets.reviews import ReviewsDataset as ReviewsDataset
    from leukoscope.datasets.shown_opinions import ShownOpinionsDataset as ShownOpinionsDataset
    from leukoscope.datasets.software_dataset import SoftwareDataset as SoftwareDataset
    from leukoscope.datasets.synthetic_smears import SyntheticSmearsDataset as SyntheticSmearsDataset
    from leukoscope.datasets.trained_models import MeasurementsDataset as MeasurementsDataset
    from leukoscope.datasets.trained_models import TrainedModelsDataset as TrainedModelsDataset
    from leukoscope.datasets.training import ClassifierDataset as ClassifierDataset
    from leukoscope.datasets.training import TrainingJournalDataset as TrainingJournalDataset
    from leukoscope.datasets.user_tables import GroupTableDataset as GroupTableDataset
    from leukoscope.datasets.user_tables import LabelTableDataset as LabelTableDataset

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "cells": ["CellImagesDataset", "CellStripsDataset", "KnownCellsDataset"],
        "evaluation_records": ["EvaluationRecordsDataset"],
        "evaluations": ["EvaluationsDataset"],
        "figure_dataset": ["FigureDataset"],
        "files": ["BinaryDataset", "CSVDataset", "JSONDataset", "ParquetDataset", "TextDataset"],
        "generated_images": ["GeneratedImagesDataset"],
        "label_reviews": ["LabelReviewsDataset"],
        "ledgers": ["LedgerDataset", "TrialLedgerDataset"],
        "opinion_log": ["OpinionLogDataset"],
        "optional": ["OptionalDataset"],
        "packed_images_dataset": ["PackedImages", "PackedImagesDataset"],
        "pages": ["PagesDataset"],
        "partitions": ["PartitionedDataset"],
        "raw_images_dataset": ["AnyImagesDataset", "RawImagesDataset"],
        "reader": ["EngineDataset", "OpinionsDataset", "ReaderRegistryDataset", "SecondReaderDataset"],
        "reviews": ["ReviewsDataset"],
        "shown_opinions": ["ShownOpinionsDataset"],
        "software_dataset": ["SoftwareDataset"],
        "synthetic_smears": ["SyntheticSmearsDataset"],
        "trained_models": ["MeasurementsDataset", "TrainedModelsDataset"],
        "training": ["ClassifierDataset", "TrainingJournalDataset"],
        "user_tables": ["GroupTableDataset", "LabelTableDataset"],
    },
)

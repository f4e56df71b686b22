"""The code that MLflow runs to make the model, instead of loading a pickle."""

from mlflow.models import set_model

from leukoscope.serving.model import SecondReaderModel

set_model(SecondReaderModel())

"""What MLflow runs to make the model: code, where others keep a pickle."""

from mlflow.models import set_model

from leukoscope.serving.model import SecondReaderModel

set_model(SecondReaderModel())

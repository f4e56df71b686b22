"""What must be set before MLflow, Arrow and TensorFlow are imported; importing this module sets it."""

import os
import warnings

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# A server that does not answer is given up after seconds, not after four minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
# Arrow's own allocators keep several times what a table of images needs.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
# TensorFlow tells of its instruction sets and of GPUs that are not there; what matters comes as exceptions.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# It computes with oneDNN by itself only on CPUs with AVX-512; training is 1.4 times as fast with it on others too.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

# kedro-mlflow has a model without type hints, of which MLflow warns at each import.
warnings.filterwarnings("ignore", message=".*Add type hints to the `predict` method")
# Kedro and its plugin register resolvers by a name that OmegaConf has deprecated.
warnings.filterwarnings("ignore", message="register_new_resolver")

"""Settings required before MLflow, Arrow and TensorFlow are imported; importing this module applies them."""

import logging
import os
import platform
import warnings
from pathlib import Path
from types import ModuleType

from leukoscope.core.imports import Load, load_by
from leukoscope.core.stderr import leaving_out

os.environ.setdefault("DO_NOT_TRACK", "1")  # Kedro
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
# Give up on an unreachable server after seconds instead of four minutes, and on a hanging one after one or two minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
# Arrow's own allocators hold several times the memory that a table of images needs.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
# TensorFlow enables oneDNN by itself only on CPUs with AVX-512; on others it makes training 1.4 times as fast.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

# A kedro-mlflow model lacks type hints, so MLflow warns at each import, regardless of Python's warning filters.
# Kedro sends warnings to this logger.
logging.getLogger("py.warnings").addFilter(lambda record: "Add type hints to the `predict`" not in record.getMessage())
# Kedro reports an error three times, and suggests another way to resume than repeating the command.
for name in ("kedro.pipeline.node", "kedro.runner.sequential_runner"):
    logging.getLogger(name).addFilter(lambda record: record.levelno < logging.WARNING)
# Pillow's warnings about damaged files: the manifest records what is wrong with each.
warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
# MLflow logs the traceback of database errors in addition to raising them.
logging.getLogger("mlflow.store.db.utils").addFilter(lambda record: not record.exc_info)
# Kedro and its plugin register resolvers with a function that OmegaConf has deprecated.
warnings.filterwarnings("ignore", message="register_new_resolver")


def _load_quietly(module: ModuleType, load: Load) -> None:
    """Suppress TensorFlow's messages while it loads, about instruction sets and missing GPUs.

    TensorFlow writes them bypassing Python and TF_CPP_MIN_LOG_LEVEL; if that variable is set, all messages are kept.
    """
    with leaving_out(rb"[IW]\d{4} |WARNING: All log messages before absl"):
        load(module)
        module.config.list_physical_devices()  # some messages appear only now


def _offer_commands(module: ModuleType, load: Load) -> None:
    """Load kedro-mlflow's commands only when one is used, since they import MLflow, which takes seconds."""
    from kedro.framework.cli.utils import LazyGroup

    def load_first(name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        del module.__dict__["__getattr__"]
        load(module)
        return getattr(module, name)

    module.__dict__["__getattr__"] = load_first
    module.__dict__["commands"] = LazyGroup("Mlflow", lazy_subcommands={"mlflow": f"{module.__name__}.mlflow_commands"})


load_by("kedro_mlflow.framework.cli.cli", _offer_commands)


def _can_load_tensorflow() -> bool:
    """Return whether TensorFlow can load: without AVX it ends the process, with a message that would be suppressed."""
    facts = Path("/proc/cpuinfo")
    return not facts.is_file() or platform.machine() != "x86_64" or " avx " in facts.read_text(errors="replace")


if "TF_CPP_MIN_LOG_LEVEL" not in os.environ and _can_load_tensorflow():
    # With a GPU, errors are kept, such as why it cannot be used; without one, they only report that there is none.
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2" if Path("/dev/nvidiactl").exists() else "3"
    load_by("tensorflow", _load_quietly)

"""What must be set before MLflow, Arrow and TensorFlow are imported; importing this module sets it."""

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
# A server that does not answer is given up after seconds, not after four minutes, and one that hangs after one or two.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
# Arrow's own allocators keep several times what a table of images needs.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
# TensorFlow computes with oneDNN by itself only on CPUs with AVX-512; training is 1.4 times as fast with it on others.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

# A model of kedro-mlflow is without type hints, of which MLflow warns at each import, whatever filters Python has.
# Kedro hands warnings to this logger.
logging.getLogger("py.warnings").addFilter(lambda record: "Add type hints to the `predict`" not in record.getMessage())
# Kedro tells of an error three times, and to go on in another way than by the same command.
for name in ("kedro.pipeline.node", "kedro.runner.sequential_runner"):
    logging.getLogger(name).addFilter(lambda record: record.levelno < logging.WARNING)
# Pillow's, of damaged files: the manifest says what is wrong with each.
warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
# MLflow logs a traceback of what its database says, and raises the error too.
logging.getLogger("mlflow.store.db.utils").addFilter(lambda record: not record.exc_info)
# Kedro and its plugin register resolvers by a name that OmegaConf has deprecated.
warnings.filterwarnings("ignore", message="register_new_resolver")


def _load_quietly(module: ModuleType, load: Load) -> None:
    """Leave out what TensorFlow tells while it loads: of its instruction sets, and of GPUs that are not there.

    It writes that past Python and past TF_CPP_MIN_LOG_LEVEL; where that variable is set, everything stays.
    """
    with leaving_out(rb"[IW]\d{4} |WARNING: All log messages before absl"):
        load(module)
        module.config.list_physical_devices()  # it tells of some only now


def _offer_commands(module: ModuleType, load: Load) -> None:
    """Load kedro-mlflow's commands when one of them is asked for: they import MLflow, which takes seconds."""
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
    """On a CPU without AVX TensorFlow ends the process, and says why in what would be held back."""
    facts = Path("/proc/cpuinfo")
    return not facts.is_file() or platform.machine() != "x86_64" or " avx " in facts.read_text(errors="replace")


if "TF_CPP_MIN_LOG_LEVEL" not in os.environ and _can_load_tensorflow():
    # Where there is a GPU, errors stay, such as why it cannot be used; elsewhere there are errors of there being none.
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2" if Path("/dev/nvidiactl").exists() else "3"
    load_by("tensorflow", _load_quietly)

"""Checks of a run's inputs before it begins, with errors shown as a message alone."""

import json
import os
import sys
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kedro.config import MissingConfigException
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines, settings
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.validation.exceptions import ParameterValidationError
from kedro.validation.type_extractor import TypeExtractor
from kedro.validation.utils import resolve_nested_dict_path
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import TypeAdapter, ValidationError

from leukoscope.cells.detector import trust_detector
from leukoscope.core.class_names import split_names
from leukoscope.core.errors import InputError
from leukoscope.core.faults import explain
from leukoscope.core.objects import require_folder
from leukoscope.core.old_names import rename_parameters
from leukoscope.core.options import describe_faults, refuse_unknown_names
from leukoscope.core.paths import require_paths
from leukoscope.core.stages import list_models
from leukoscope.datasets import EvaluationRecordsDataset, OptionalDataset
from leukoscope.entries import complete_entries, set_entries
from leukoscope.evaluation.label_issues import require_cleanlab
from leukoscope.hooks.parameters import check_parameters, require_recipe
from leukoscope.makers import is_made, name_makers
from leukoscope.pipelines.reader.nodes import assemble_reader, collect_evaluated
from leukoscope.pipelines.search.planning import require_nested, require_search
from leukoscope.study.plan import require_entries

_BACKENDS = ("tensorflow", "jax", "torch")
# Promotion works without a model card, and without earlier evaluations.
_OPTIONAL = {"model_cards", "evaluations"}
_NAMES_SHOWN = 5


class InputHook:
    """Refuses wrong parameters and missing files before anything runs, with a message and no traceback.

    Attributes:
        has_begun: Whether all checks passed and the pipeline began.
    """

    has_begun = False

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Check the parameters of all pipelines, including those set by ``--params``.

        Raises:
            InputError: The environment does not exist, a configuration file cannot be read, a name is unknown, a path
                is not a path, or a value is invalid.
        """
        self._env = context.env
        self.has_begun = False
        self._context = context
        _require_environment(context)
        runtime_parameters = context.config_loader.runtime_params
        if "class_names" in runtime_parameters:
            runtime_parameters["class_names"] = split_names(runtime_parameters["class_names"])
        raw = rename_parameters(_read_parameters(context), runtime_parameters)
        try:
            base = _read_base(context)
            raw = complete_entries(raw, base, runtime_parameters)
            refuse_unknown_names(raw, base)
            # No pipeline has the page's options, whose class may not be imported here.
            if isinstance(raw["app"], dict):
                refuse_unknown_names(raw["app"], base["app"], " in app")
            context.config_loader["parameters"] = raw
            set_entries(raw["models"])
            self._parameters = context.params
            require_paths(self._parameters)
            check_parameters(self._parameters, runtime_parameters)
            trust_detector(self._parameters["cells"].detector)
        except ParameterValidationError as error:
            faults = "; ".join(_find_faults(context)) or str(error)
            raise InputError(f"Wrong parameters, nothing was run: {faults}") from None
        except ValidationError as error:  # from a check across several parameters
            raise InputError(f"Wrong parameters, nothing was run: {describe_faults(error)}") from None
        except ValueError as error:
            raise InputError(f"Wrong parameters, nothing was run: {error}") from None

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Check the inputs of the run before anything slow is loaded or prepared.

        Raises:
            InputError: A file that no node of the pipeline makes is missing, Keras' backend is not installed, a recipe
                does not fit its model, the weights file of a model to train cannot be read, a study's entries or a
                search's space are not usable, or the cluster cannot do the work.
        """
        require_backend()
        if "study_plan" in pipeline.all_outputs():
            splitting = self._parameters["splitting"]
            models = self._parameters["models"]
            study = self._parameters["study"]
            require_entries(study.entries, models, splitting.fold)
            require_nested(study.searched, study.entries, *self._list_searched())
        if "search_plan" in pipeline.all_outputs():
            require_search(*self._list_searched())
        if "label_issues" in pipeline.all_outputs():
            require_cleanlab()
        _require_inputs(self._list_needed(pipeline), catalog, self._env)
        # A study connects to the cluster itself, once it has anything to do; a finished one needs no cluster.
        if "params:cluster" in pipeline.inputs() and "study_plan" not in pipeline.all_outputs():
            self._require_cluster()
        for name in sorted(list_models(pipeline)):
            self._resolve_recipe(name)
            if f"{name}.journal" in pipeline.all_outputs():  # this run starts the training
                entry = self._parameters["models"][name]
                entry.require_files(self._parameters["training"])
                entry.join_augmentation(self._parameters["augmentation"])
        self.has_begun = True

    @hook_impl(trylast=True)
    def on_pipeline_error(self, error: Exception) -> None:
        """Re-raise an error that the user can fix, without the catalog's wrapping, so that its message stands alone.

        Raises:
            InputError: Such an error caused the failure.
        """
        mendable = explain(error) or _explain_tracking(error)
        if mendable is not None:
            raise mendable from None

    def _require_cluster(self) -> None:
        """Check that the cluster can do the work, if there is one."""
        options = self._parameters["cluster"]
        loader = self._context.config_loader
        if options.parts is not None:
            require_folder(options.parts)
        if not options.is_used:
            return
        from leukoscope.cluster.client import require_cluster

        tracking = loader["mlflow"].get("server", {}).get("mlflow_tracking_uri")
        project = Path(self._context.project_path)
        require_cluster(options, project, project / loader["globals"]["data"], tracking)

    def _list_searched(self) -> Iterator[Any]:
        """List the parameters that a search depends on."""
        return (self._parameters[name] for name in ("search", "models", "training", "augmentation", "splitting"))

    def _resolve_recipe(self, name: str) -> None:
        try:
            require_recipe(self._parameters["models"][name], self._parameters["training"])
        except ValueError as error:
            raise InputError(f"Wrong parameters of {name}, nothing was run: {error}") from None

    def _list_needed(self, pipeline: Pipeline) -> set[str]:
        """List the inputs that no node makes; a reader from the registry needs nothing trained here."""
        registered = bool(self._parameters["reader"].model_uri)
        of_trained = {assemble_reader, collect_evaluated} if registered else set()
        nodes = [node for node in pipeline.nodes if node.func not in of_trained]
        taken = {name for node in nodes for name in node.inputs if not name.startswith("params:")}
        return taken & pipeline.inputs() - _OPTIONAL


def _explain_tracking(error: Exception) -> InputError | None:
    """Explain an error that MLflow caused; if MLflow is not loaded, it caused none."""
    if "mlflow" not in sys.modules:
        return None
    from leukoscope.hooks.outbox import explain_tracking

    return explain_tracking(error)


def require_backend() -> None:
    """Check that Keras can use the configured backend, without loading it.

    Raises:
        InputError: The backend cannot train or is not installed, or Keras' configuration file cannot be read.
    """
    file = Path(os.environ.get("KERAS_HOME", Path("~/.keras").expanduser()), "keras.json")
    name = os.environ.get("KERAS_BACKEND")
    place = "the environment variable KERAS_BACKEND"
    if not name and file.is_file():
        try:
            name = json.loads(file.read_text()).get("backend")
            place = str(file)
        except (OSError, ValueError, AttributeError) as error:
            raise InputError(
                f'{file} cannot be read: {error}. Expected JSON such as {{"backend": "tensorflow"}}; mend it or '
                f"remove it."
            ) from None
    if name and name not in _BACKENDS:
        raise InputError(f"{place} tells Keras to use '{name}'. Expected {', '.join(_BACKENDS[:2])} or {_BACKENDS[2]}.")
    if name and find_spec(name) is None:
        raise InputError(
            f"{place} tells Keras to use {name}, which is not installed. Install it, as with "
            f"`pip install -c requirements.lock -e '.[{name}]'`, or use tensorflow."
        )


def _require_inputs(names: set[str], catalog: CatalogProtocol, env: str | None) -> None:
    """Raise an error that names all missing data sets and the command that makes them."""
    made = {name for name in names if is_made(name)}
    for dataset in _list_absent(names - made, catalog).values():
        dataset.load()  # input by the user: its data set raises an error, or does without
    missing = _list_absent(made, catalog)
    if missing:
        hint = ", or give --env demo: the demo has made them" if env != "demo" and _demo_has(missing.values()) else ""
        raise InputError(
            f"Not made yet, and needed here: {_enumerate(missing)}. Run `{name_makers(missing, env)}` first{hint}. "
            f"Nothing was run."
        )


def _enumerate(names: Iterable[str]) -> str:
    shown = [name.replace("_", " ") for name in names]
    more = f" and {len(shown) - _NAMES_SHOWN} more" if len(shown) > _NAMES_SHOWN else ""
    return ", ".join(shown[:_NAMES_SHOWN]) + more


def _list_absent(names: Iterable[str], catalog: CatalogProtocol) -> dict[str, Any]:
    return {name: catalog.get(name) for name in sorted(names) if not _is_there(catalog.get(name))}


def _is_there(dataset: Any) -> bool:
    return dataset is None or isinstance(dataset, OptionalDataset | EvaluationRecordsDataset) or dataset.exists()


def _demo_has(datasets: Iterable[Any]) -> bool:
    """Return whether the demo's folder has what is missing in the current one."""
    places = [Path(str(getattr(dataset, "_filepath", getattr(dataset, "_path", "")))).parts for dataset in datasets]
    if not all("data" in parts for parts in places):
        return False
    ends = [len(parts) - parts[::-1].index("data") for parts in places]  # after the last folder named data
    return all(Path(*parts[:end], "demo", *parts[end:]).exists() for parts, end in zip(places, ends, strict=True))


def _read_parameters(context: KedroContext) -> dict[str, Any]:
    """Read the parameters unchanged, before they are checked."""
    try:
        return context.config_loader["parameters"]
    # OmegaConf raises a TypeError for a list in the place of a mapping.
    except (ValueError, TypeError, MissingConfigException, OmegaConfBaseException) as error:
        raise InputError(f"The parameters cannot be read, nothing was run: {error}.") from None


def _read_base(context: KedroContext) -> dict[str, Any]:
    """Read the parameters of the base environment, which has all of them, without resolving anything.

    They are read without Kedro's loader, since a second loader would change how the first one resolves its values.
    """
    base = Path(context.config_loader.conf_source, settings.CONFIG_LOADER_ARGS["base_env"])
    files = [path for path in base.rglob("parameters*") if path.suffix in (".yml", ".yaml", ".json")]
    base_values = [OmegaConf.to_container(OmegaConf.load(path), resolve=False) for path in files]
    return {str(name): value for values in base_values if isinstance(values, dict) for name, value in values.items()}


def _require_environment(context: KedroContext) -> None:
    """Check that the requested environment exists; for an archive, Kedro itself reports it."""
    source = Path(context.config_loader.conf_source)
    env = context.env
    names = sorted(path.name for path in source.iterdir() if path.is_dir()) if source.is_dir() else []
    if env and names and env not in names:
        near = get_close_matches(env, names, n=1)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise InputError(f"There is no environment '{env}': {hint}known are {', '.join(names)}. Nothing was run.")


def _find_faults(context: KedroContext) -> Iterator[str]:
    """Describe the faults of each parameter, without Pydantic's boilerplate."""
    raw = context.config_loader["parameters"]
    for name, kind in TypeExtractor(dict(pipelines)).extract_types_from_pipelines().items():
        try:
            TypeAdapter(kind).validate_python(resolve_nested_dict_path(raw, name))
        except ValidationError as error:
            yield describe_faults(error, name)
        except InputError as error:
            yield str(error)

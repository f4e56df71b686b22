"""Export a classifier as one file for small machines, in ONNX or LiteRT; neither needs TensorFlow to predict."""

import json
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers

from leukoscope.backend import litert
from leukoscope.backend.tf2onnx_memory import sparing_memory
from leukoscope.core.errors import InputError
from leukoscope.core.stderr import leaving_out
from leukoscope.models.base import NetworkClassifier
from leukoscope.models.cell_layers import BoundedCellPooling, CellPooling
from leukoscope.models.folding import fold_batch_norms
from leukoscope.models.parts import Parts

_PACKAGES = ("onnx", "tf2onnx", "onnxruntime", "ai_edge_litert")
# Only the expensive operations: eight bits for the last layer and its softmax would cost accuracy.
_QUANTIZED = ("Add", "AveragePool", "Concat", "Conv", "GlobalAveragePool", "MaxPool")
_OUTPUT = "probabilities"


class Exporter:
    """Writes a classifier, with the temperature included, in other formats.

    The files take ``uint8 [n, size, size, 3]``, RGB, and return calibrated probabilities, ``float32 [n, classes]``.

    Args:
        classifier: The trained classifier.
        temperature: The temperature of its calibration.
        facts: Metadata to store in each file.
        examples: Training images for calibrating int8 ranges, ``uint8 [n, size, size, 3]``.

    Raises:
        InputError: Keras' backend is not TensorFlow, or a package of the extra `export` is missing.
    """

    input_name = "image"

    def __init__(
        self, classifier: NetworkClassifier, temperature: float, facts: Mapping[str, Any], examples: np.ndarray
    ) -> None:
        if keras.backend.backend() != "tensorflow":
            raise InputError(
                f"Models are exported under TensorFlow only, and KERAS_BACKEND is {keras.backend.backend()}. Run the "
                f"pipeline export without it; it loads what was trained under any backend."
            )
        missing = [name for name in _PACKAGES if not _is_installed(name)]
        if missing:
            raise InputError(
                f"Exporting needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed: "
                f"pip install -c requirements.lock -e '.[export]'"
            )
        self._classifier = classifier
        self._temperature = temperature
        self._facts = facts
        self._examples = examples

    def write_onnx(self, precision: str) -> bytes:
        """Write ONNX in ``float32``, ``float16`` or ``int8``, with the names of the classes in its metadata."""
        import onnx

        content = self._onnx
        if precision == "int8":
            content = _quantize_onnx(content, self._examples, self.input_name)
        model = onnx.load_from_string(content)
        if precision == "float16":
            from onnxruntime.transformers import float16

            _leave_out_empty_scales(model)
            model = float16.convert_float_to_float16(model, keep_io_types=True)
        onnx.helper.set_model_props(model, {name: json.dumps(fact) for name, fact in self.describe().items()})
        return model.SerializeToString()

    def write_for_reader(self) -> bytes:
        """Write ONNX in ``float32`` with the outputs that a reader needs: probabilities and features."""
        return self._export_onnx(self._rebuild(with_features=True))

    def write_litert(self, precision: str) -> bytes:
        """Write LiteRT in ``float32``, ``float16`` or ``int8``."""
        options = litert.choose_litert_options(precision, self._give_examples)
        return self._export(self._model, "litert", ".tflite", **options)

    def describe(self) -> dict[str, Any]:
        """Describe the files' inputs and outputs."""
        size = self._classifier.image_size
        return {"takes": f"uint8 RGB [n, {size}, {size}, 3]", "temperature": self._temperature, **self._facts}

    @property
    def _taken(self) -> tuple[int | None, ...]:
        """The shape of one input of the files."""
        return (self._classifier.image_size, self._classifier.image_size, 3)

    def _enter(self, taken: keras.KerasTensor) -> keras.KerasTensor:
        """Convert the files' input to the network's input, before any of its layers."""
        return taken

    def _export_onnx(self, model: keras.Model) -> bytes:
        with sparing_memory():
            return self._export(model, "onnx", ".onnx")

    def _export(self, model: keras.Model, kind: str, suffix: str, **options: Any) -> bytes:
        taken = keras.InputSpec(shape=(None, *self._taken), dtype="uint8", name=self.input_name)
        with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings(), leaving_out(b"fully_quantize: "):
            warnings.filterwarnings("ignore", "In the future `np.object`", FutureWarning)  # raised by Keras' own export
            path = Path(scratch, f"model{suffix}")
            model.export(path, format=kind, verbose=False, input_signature=[taken], **options)
            return path.read_bytes()

    @cached_property
    def _onnx(self) -> bytes:
        """The float32 file, from which the other precisions are made."""
        return self._export_onnx(self._model)

    @cached_property
    def _model(self) -> keras.Model:
        return self._rebuild()

    def _rebuild(self, with_features: bool = False) -> keras.Model:
        """Rebuild the network for images of the reader's size, with the temperature in its last layer."""
        parts = Parts(_spell_out(fold_batch_norms(self._classifier.network)))
        image = keras.Input(self._taken, dtype="uint8", name=self.input_name)
        head = layers.Dense(len(self._classifier.class_names), activation="softmax", name=_OUTPUT)
        features = parts.trunk(self._enter(keras.ops.cast(image, "float32")), training=False)
        probabilities = head(features)
        model = keras.Model(image, [probabilities, features] if with_features else probabilities)
        head.set_weights([values / self._temperature for values in parts.linear_head])
        return model

    def _give_examples(self) -> Iterator[list[np.ndarray]]:
        for image in self._examples:
            yield [image[None]]


def _leave_out_empty_scales(model: Any) -> None:
    """Remove empty scales next to a size, which tf2onnx writes: cast to another precision, they would count as given.

    Args:
        model: ``onnx.ModelProto``, changed in place.
    """
    empty = {tensor.name for tensor in model.graph.initializer if 0 in tensor.dims}
    for node in model.graph.node:
        if node.op_type == "Resize" and len(node.input) > 3 and node.input[2] in empty:
            node.input[2] = ""


def _spell_out(network: keras.Model) -> keras.Model:
    """Copy a network, replacing layers that ONNX converters do not support by equivalent ones."""
    copy = keras.models.clone_model(network, clone_function=_spell_out_layer, call_function=_call_with_constants)
    copy.set_weights(network.get_weights())
    return copy


def _spell_out_layer(layer: keras.Layer) -> keras.Layer:
    if isinstance(layer, layers.Normalization):  # its statistics would become inputs of the file
        mean = np.ravel(layer.input_mean)
        deviation = np.sqrt(np.ravel(layer.input_variance))
        return layers.Rescaling((1 / deviation).tolist(), (-mean / deviation).tolist(), name=layer.name)
    if isinstance(layer, layers.Activation) and layer.activation is keras.activations.gelu:  # by Erfc
        return layers.Activation(_gelu, name=layer.name)
    if isinstance(layer, CellPooling):
        return BoundedCellPooling.from_config(layer.get_config())
    return type(layer).from_config(layer.get_config())


def _call_with_constants(layer: keras.Operation, *args: Any, **options: Any) -> Any:
    """Call a layer with arrays in place of backend tensors, which would become inputs of the file."""

    def hold(value: Any) -> Any:
        constant = keras.ops.is_tensor(value) and not isinstance(value, keras.KerasTensor)
        return keras.ops.convert_to_numpy(value) if constant else value

    args, options = keras.tree.map_structure(hold, (args, options))
    return layer(*args, **options)


def _gelu(signal: keras.KerasTensor) -> keras.KerasTensor:
    """Compute the exact Gaussian error linear unit with the error function (Hendrycks and Gimpel 2016)."""
    return signal * 0.5 * (1.0 + keras.ops.erf(signal / 2**0.5))


def _quantize_onnx(content: bytes, examples: np.ndarray, input_name: str) -> bytes:
    """Quantise statically: eight bits for weights, per channel, and for activations."""
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Examples(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self._images = iter(examples)

        def get_next(self) -> dict[str, np.ndarray] | None:
            image = next(self._images, None)
            return None if image is None else {input_name: image[None]}

    with tempfile.TemporaryDirectory() as scratch:
        source, prepared, quantized = (Path(scratch, f"{name}.onnx") for name in ("given", "prepared", "quantized"))
        source.write_bytes(content)
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        quantization.quantize_static(
            prepared,
            quantized,
            Examples(),
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            op_types_to_quantize=list(_QUANTIZED),
        )
        return quantized.read_bytes()


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ValueError:  # the import was blocked
        return False


class Format(NamedTuple):
    """A file format.

    Attributes:
        title: Its name.
        suffix: File suffix.
        write: Writes a file in a precision.
        load: Builds a predictor from a file's content.
    """

    title: str
    suffix: str
    write: Callable[[Exporter, str], bytes]
    load: Callable[[bytes], Callable[[np.ndarray], np.ndarray]]


def load_onnx(content: bytes) -> Callable[[np.ndarray], np.ndarray]:
    """Build a predictor with ONNX Runtime: ``uint8 [n, size, size, 3]`` to ``float32 [n, classes]``."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {session.get_inputs()[0].name: images})[0]


def load_litert(content: bytes) -> Callable[[np.ndarray], np.ndarray]:
    """Build a predictor with LiteRT on all cores; inputs and outputs as in ``load_onnx``."""
    import psutil
    from ai_edge_litert.interpreter import Interpreter

    with leaving_out(b"INFO: Created TensorFlow Lite"):
        interpreter = Interpreter(model_content=content, num_threads=psutil.cpu_count(logical=False) or 1)
    taken = interpreter.get_input_details()[0]["index"]
    output = interpreter.get_output_details()[0]["index"]

    def predict(images: np.ndarray) -> np.ndarray:
        if tuple(interpreter.get_input_details()[0]["shape"]) != images.shape:
            interpreter.resize_tensor_input(taken, images.shape)
            interpreter.allocate_tensors()
        interpreter.set_tensor(taken, images)
        interpreter.invoke()
        return interpreter.get_tensor(output).copy()

    interpreter.allocate_tensors()
    return predict


FORMATS = {
    "onnx": Format("ONNX", ".onnx", Exporter.write_onnx, load_onnx),
    "litert": Format("LiteRT", ".tflite", Exporter.write_litert, load_litert),
}
PRECISIONS = ("float32", "float16", "int8")

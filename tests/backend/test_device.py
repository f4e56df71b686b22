import sys
from importlib.metadata import version

import keras
import numpy as np
import pytest

from leukoscope.backend import device, kernels, memory, precision
from leukoscope.training.augmentation import build_augmentation

tensorflow_on_cpu = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow" or bool(device.list_accelerators()),
    reason="the faster kernels are for TensorFlow on a CPU",
)

fuses_batch_norm = pytest.mark.skipif(
    keras.backend.backend() != "torch" and not device.is_tensorflow_on_cpu(),
    reason="batch norm is fused for TensorFlow on a CPU, and for PyTorch",
)


def twins(**options) -> tuple[keras.Model, keras.Model]:
    """Two networks of one batch norm with the same statistics, the second of them fused."""
    models = []
    for _ in range(2):
        layer = keras.layers.BatchNormalization(momentum=0.8, **options)
        models.append(keras.Sequential([keras.Input((5, 5, 3)), layer]))
        rng = np.random.default_rng(3)
        layer.set_weights([rng.uniform(0.5, 2, one.shape) for one in layer.get_weights()])
    kernels.use_faster_kernels(models[1])
    return models[0], models[1]


@fuses_batch_norm
@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False, "epsilon": 0.01}])
@pytest.mark.parametrize("training", [True, False])
def test_fused_batch_norm_computes_the_same(options, training, rng):
    plain, fused = twins(**options)
    images = rng.normal(3, 2, (4, 5, 5, 3)).astype("float32")
    outputs = [keras.ops.convert_to_numpy(model(images, training=training)) for model in (plain, fused)]
    assert outputs[1] == pytest.approx(outputs[0], abs=1e-5)
    for ours, theirs in zip(fused.get_weights(), plain.get_weights(), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-5)


@fuses_batch_norm
def test_a_batch_norm_of_vectors_stays_as_it_is(rng):
    layers = [keras.layers.GlobalAveragePooling2D(), keras.layers.BatchNormalization(), keras.layers.Dense(2)]
    network = keras.Sequential([keras.Input((5, 5, 3)), *layers])
    images = rng.normal(3, 2, (4, 5, 5, 3)).astype("float32")
    expected = keras.ops.convert_to_numpy(network(images, training=False))
    kernels.use_faster_kernels(network)
    assert keras.ops.convert_to_numpy(network(images, training=False)) == pytest.approx(expected)
    before = network.get_weights()
    network.compile("sgd", "mse")
    network.train_on_batch(images, np.ones((4, 2)))
    assert all((old != new).any() for old, new in zip(before, network.get_weights(), strict=True))


@fuses_batch_norm
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_fused_batch_norm_keeps_statistics_in_float32(policy, rng):
    plain, fused = twins(dtype=policy)
    images = rng.normal(3, 2, (4, 5, 5, 3)).astype("float32")
    outputs = [model(images, training=True) for model in (plain, fused)]
    assert outputs[1].dtype == outputs[0].dtype
    ours, theirs = (keras.ops.convert_to_numpy(keras.ops.cast(one, "float32")) for one in outputs)
    assert ours == pytest.approx(theirs, abs=0.1)
    for ours, theirs in zip(fused.get_weights(), plain.get_weights(), strict=True):
        assert ours.dtype == np.float32
        assert ours == pytest.approx(theirs, abs=0.02)


@fuses_batch_norm
@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}])
def test_fused_batch_norm_has_the_same_gradients(options, rng):
    images, wanted = rng.normal(3, 2, (2, 4, 5, 5, 3)).astype("float32")
    weights = []
    for model in twins(**options):
        learner = keras.Sequential([keras.Input((5, 5, 3)), keras.layers.Dense(3, use_bias=False), *model.layers])
        learner.layers[0].set_weights([np.diag([1.0, 2.0, 3.0])])
        learner.compile(keras.optimizers.SGD(1.0), "mse")
        learner.train_on_batch(images, wanted)
        weights.append(learner.get_weights())
    assert np.abs(weights[0][0] - np.diag([1.0, 2.0, 3.0])).max() > 0.01
    for ours, theirs in zip(*weights, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-3, abs=1e-4)


@fuses_batch_norm
def test_fused_batch_norm_that_is_frozen_only_infers(rng):
    _, fused = twins()
    fused.layers[0].trainable = False
    before = fused.get_weights()
    fused(rng.normal(3, 2, (4, 5, 5, 3)), training=True)
    assert all((a == b).all() for a, b in zip(before, fused.get_weights(), strict=True))


def differentiate(network: keras.Model, images: np.ndarray) -> tuple[list[np.ndarray], list[str]]:
    """Give gradients of the images and all weights, and the dtypes of depthwise convolutions' gradients of inputs."""
    import tensorflow as tf

    @tf.function
    def compute(images):
        with tf.GradientTape() as tape:
            tape.watch(images)
            loss = tf.reduce_sum(tf.cast(network(images), "float32") ** 2)
        return tape.gradient(loss, [images, *network.trainable_variables])

    traced = compute.get_concrete_function(tf.constant(images))
    computing = [one for one in traced.graph.get_operations() if one.type == "DepthwiseConv2dNativeBackpropInput"]
    return [one.numpy() for one in traced(tf.constant(images))], [one.get_attr("T").name for one in computing]


@tensorflow_on_cpu
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(
    ("options", "dtype"),
    [
        ({}, "bfloat16"),
        ({"strides": 2}, "float32"),
        ({"strides": 2, "use_bias": True, "activation": "relu"}, "bfloat16"),
        ({"strides": 2, "dilation_rate": 2}, "bfloat16"),
    ],
)
def test_plain_strided_depthwise_convolutions_alone_have_a_gradient_in_float32(options, dtype, padding, rng):
    networks = []
    for policy in ("float32", "mixed_bfloat16"):
        layer = keras.layers.DepthwiseConv2D(3, **{"use_bias": False, "padding": padding, "dtype": policy} | options)
        networks.append(keras.Sequential([keras.Input((9, 9, 3)), layer]))
        kernels.use_faster_kernels(networks[-1])
    networks[1].set_weights(networks[0].get_weights())
    images = rng.normal(0, 2, (4, 9, 9, 3)).astype("float32")
    (plain, _), (ours, dtypes) = (differentiate(one, images) for one in networks)
    assert dtypes == [dtype]
    assert networks[1](images).dtype == "bfloat16"
    for one, other in zip(ours, plain, strict=True):
        assert one == pytest.approx(other, rel=0.05, abs=0.02 * float(np.abs(other).max()))


@tensorflow_on_cpu
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (keras.layers.BatchNormalization, {}),
        (keras.layers.DepthwiseConv2D, {"kernel_size": 3, "strides": 2, "use_bias": False, "dtype": "mixed_bfloat16"}),
    ],
)
def test_nothing_of_it_is_saved(kind, options, tmp_path):
    network = keras.Sequential([keras.Input((5, 5, 3)), kind(**options)])
    kernels.use_faster_kernels(network)
    assert "call" in vars(network.layers[0])
    network.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert type(loaded.layers[0]) is kind
    assert "call" not in vars(loaded.layers[0])


def is_compiled_by_xla(network: keras.Model) -> bool:
    """Tell whether XLA must compile a part of what a function computes that calls the network."""
    import tensorflow as tf

    traced = tf.function(network).get_concrete_function(tf.TensorSpec((4, 9, 9, 3)))
    calls = [one for one in traced.graph.get_operations() if one.type.endswith("PartitionedCall")]
    return any(one.get_attr("_XlaMustCompile") for one in calls)


@tensorflow_on_cpu
@pytest.mark.parametrize("wanted", [False, True])
def test_a_network_in_a_model_that_augments_is_compiled_where_keras_would_compile_it(wanted, rng):
    # a bias before batch statistics, which take it away again, has a gradient of rounding errors only
    convolution = keras.layers.Conv2D(4, 3, use_bias=False)
    layers = [convolution, keras.layers.BatchNormalization(), keras.layers.Flatten()]
    network = keras.Sequential([keras.Input((9, 9, 3)), *layers, keras.layers.Dense(1)])
    network.jit_compile = wanted
    kernels.use_faster_kernels(network)
    assert is_compiled_by_xla(network) == wanted
    model = keras.Sequential([keras.Input((9, 9, 3)), build_augmentation(0, rotation=5.0), network])
    images = rng.normal(3, 2, (4, 9, 9, 3)).astype("float32")
    for learns in (False, True):  # as in the phases of a training
        layers[1].trainable = learns
        model.compile("sgd", "mse")
        before = network.get_weights()
        model.train_on_batch(images, np.ones((4, 1)))
        moved = [bool((a != b).any()) for a, b in zip(before, network.get_weights(), strict=True)]
        # kernel; gamma, beta and both statistics; kernel and bias
        assert moved == [True, *[learns] * 4, True, True]


@tensorflow_on_cpu
@pytest.mark.parametrize("training", [True, False])
def test_a_network_compiled_by_xla_computes_the_same(training, rng):
    plain, compiled = twins()
    compiled.jit_compile = True
    kernels.use_faster_kernels(compiled)
    images = rng.normal(3, 2, (4, 5, 5, 3)).astype("float32")
    outputs = [keras.ops.convert_to_numpy(model(images, training=training)) for model in (plain, compiled)]
    assert outputs[1] == pytest.approx(outputs[0], abs=1e-5)
    for ours, theirs in zip(compiled.get_weights(), plain.get_weights(), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-5)


@pytest.mark.parametrize(
    ("capability", "policy"),
    [((9, 0), "mixed_bfloat16"), ((8, 0), "mixed_bfloat16"), ((7, 5), "mixed_float16"), ((6, 1), "float32")],
)
def test_the_precision_follows_the_gpu(monkeypatch, capability, policy):
    monkeypatch.setattr(precision, "list_accelerators", lambda: ["gpu:0"])
    monkeypatch.setattr(device, "list_accelerators", lambda: ["gpu:0"])
    monkeypatch.setattr(precision, "_compute_capability", lambda: capability)
    assert precision.choose_precision("auto") == policy
    assert precision.choose_precision("float32") == "float32"


@tensorflow_on_cpu
@pytest.mark.parametrize(("instructions", "policy"), [(True, "mixed_bfloat16"), (False, "float32")])
def test_the_precision_follows_the_cpu(monkeypatch, instructions, policy):
    monkeypatch.setattr(precision, "cpu_has_bfloat16", lambda: instructions)
    assert precision.choose_precision("auto") == policy
    assert precision.choose_precision("mixed_float16") == "mixed_float16"


def test_a_tpu_computes_in_bfloat16(monkeypatch):
    monkeypatch.setattr(precision, "is_tensorflow_on_cpu", lambda: False)
    monkeypatch.setattr(precision, "list_accelerators", lambda: ["tpu:0"])
    monkeypatch.setattr(device, "list_accelerators", lambda: ["tpu:0"])
    assert precision.choose_precision("auto") == "mixed_bfloat16"


def test_an_engine_is_a_backend_with_its_version_and_the_precision():
    engine = precision.describe_engine("mixed_float16")
    name = keras.backend.backend()
    assert engine == {
        "backend": name,
        "precision": "mixed_float16",
        "keras": version("keras"),
        name: version(name),
    }


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not forget a peak")
def test_peak_memory_begins_anew():
    held = np.ones(2**26)  # half a GiB
    before = memory.peak_memory_mib()
    del held
    memory.reset_peak_memory()
    assert memory.peak_memory_mib() < before - 400
    held = np.ones(2**25)
    assert memory.peak_memory_mib() > before - 400
    del held


def test_peak_memory_is_told_where_the_system_keeps_less(monkeypatch, tmp_path):
    (tmp_path / "status").write_text("Name:\tpython\nVmRSS:\t1 kB\n")
    monkeypatch.setattr(memory, "_STATUS", tmp_path / "status")
    assert 100 < memory.peak_memory_mib() < 100_000


def test_peak_memory_is_that_of_a_process_with_keras_in_it():
    assert 100 < memory.peak_memory_mib() < 100_000


@pytest.mark.parametrize(("size", "room"), [(100, True), (101, False)])
def test_a_gpu_holds_what_is_a_quarter_of_its_memory(monkeypatch, size, room):
    monkeypatch.setattr(memory, "_device_bytes", lambda: 400)
    assert memory.has_room_for(size) is room


def test_a_cpu_holds_nothing():
    assert device.list_accelerators() or not memory.has_room_for(1)

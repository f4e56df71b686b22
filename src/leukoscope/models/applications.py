"""The architectures of ``keras.applications``, one row each.

The rows cite their papers. All are Keras' own networks without their tops; the head is ours, and so are the initial
weights where none are loaded (``initialisation``).
"""

import warnings
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from leukoscope.models.architecture import After, Architecture, register

if TYPE_CHECKING:
    import keras


def _add(name: str, builder: str, module: str, change: Callable[..., Any] | None = None, **facts: Any) -> None:
    """Register a row.

    Args:
        name: Name of the architecture.
        builder: Its name in ``keras.applications``.
        module: The module of ``keras.applications`` that holds its ``preprocess_input``.
        change: Replaces layers that a backend computes inefficiently.
        facts: The remaining fields of the row.
    """

    def preprocess(images: "keras.KerasTensor") -> "keras.KerasTensor":
        return import_module(f"keras.applications.{module}").preprocess_input(images, data_format="channels_last")

    def build(images: "keras.KerasTensor", weights: str | None) -> "keras.Model":
        import keras

        with warnings.catch_warnings():
            # MobileNets warn that their weights are those for 224 pixels, as the row states.
            warnings.filterwarnings("ignore", "`input_shape` is undefined", UserWarning)
            # Keep the default model name: some builders look up their blocks or weights file by it.
            trunk = getattr(keras.applications, builder)(include_top=False, weights=weights, input_tensor=images)
        return _replace(trunk, change) if change else trunk

    facts |= {"pixels": _PIXELS.get(module, ""), "saved_by": f"keras.applications.{builder}(include_top=False)"}
    register(name, Architecture(title=builder, preprocess=preprocess, build=build, **facts))


def _replace(trunk: "keras.Model", change: Callable[["keras.Layer"], "keras.Layer"]) -> "keras.Model":
    """Copy a trunk with some layers replaced; the weights keep their values and order."""
    import keras

    copy = keras.models.clone_model(trunk, clone_function=change)
    pairs = zip(copy.weights, trunk.weights, strict=True)
    for ours, theirs in pairs:
        ours.assign(keras.ops.reshape(theirs, ours.shape))
    return copy


def _as_depthwise(layer: "keras.Layer") -> "keras.Layer":
    """Replace a convolution with as many groups as channels by a depthwise one.

    TensorFlow leaves such grouped convolutions to XLA on a CPU, where a step takes many times as long, and converters
    to other formats do not support them.
    """
    from keras import layers

    options = layer.get_config()
    if not isinstance(layer, layers.Conv2D) or not 1 < layer.groups == layer.filters:
        return type(layer).from_config(options)
    kernel_options = {name: options.pop(f"kernel_{name}") for name in ("initializer", "regularizer", "constraint")}
    del options["filters"], options["groups"]
    return layers.DepthwiseConv2D.from_config(
        options | {f"depthwise_{name}": part for name, part in kernel_options.items()}
    )


# The preprocessing modes of these modules; all other networks scale their inputs internally.
_PIXELS = {"resnet50": "caffe", "vgg16": "caffe", "vgg19": "caffe", "densenet": "torch"}
_PIXELS |= dict.fromkeys(("mobilenet", "mobilenet_v2", "inception_v3", "inception_resnet_v2"), "tf")
_PIXELS |= dict.fromkeys(("xception", "nasnet", "resnet_v2"), "tf")
_VGG_BLOCKS = {f"block{number}": f"block{number}_conv1" for number in range(2, 6)}
_DENSENET_BLOCKS = {f"conv{number}": f"conv{number}_block1_0_bn" for number in range(2, 6)}
_EFFICIENTNET_BLOCKS = {f"block{number}": f"block{number}a_expand_conv" for number in range(2, 7)} | {"top": "top_conv"}
_VGG = "Simonyan and Zisserman 2015, Very deep convolutional networks for large-scale image recognition"
_DENSENET = "Huang et al. 2017, Densely connected convolutional networks"
_EFFICIENTNET = "Tan and Le 2021, EfficientNetV2: smaller models and faster training"
_NASNET = "Zoph et al. 2018, Learning transferable architectures for scalable image recognition"

_add(
    "resnet50",
    "ResNet50",
    "resnet50",
    input_size=224,
    smallest_input=32,
    blocks={f"conv{number}": f"conv{number}_block1_1_conv" for number in range(2, 6)},
    parameters=23_534_592,
    branch=1,
    origin="He et al. 2016, Deep residual learning for image recognition",
)
_add(
    "vgg16",
    "VGG16",
    "vgg16",
    input_size=224,
    smallest_input=32,
    batch_size=64,
    dropout=0.5,
    blocks=_VGG_BLOCKS,
    parameters=14_714_688,
    origin=_VGG,
)
_add(
    "vgg19",
    "VGG19",
    "vgg19",
    input_size=224,
    smallest_input=32,
    blocks=_VGG_BLOCKS,
    parameters=20_024_384,
    origin=_VGG,
)
_add(
    "mobilenet_v2",
    "MobileNetV2",
    "mobilenet_v2",
    input_size=224,
    smallest_input=32,
    pixel_spread=0.5,
    blocks={f"block_{number}": f"block_{number}_expand" for number in (1, 3, 6, 10, 13)} | {"Conv_1": "Conv_1"},
    parameters=2_223_872,
    branch=1,
    origin="Sandler et al. 2018, MobileNetV2: inverted residuals and linear bottlenecks",
)
_add(
    "inception_v3",
    "InceptionV3",
    "inception_v3",
    input_size=299,
    smallest_input=75,
    pixel_spread=0.5,
    blocks={f"mixed{number}": After(f"mixed{number - 1}") for number in range(1, 11)},
    parameters=21_768_352,
    origin="Szegedy et al. 2016, Rethinking the Inception architecture for computer vision",
)
_add(
    "densenet121",
    "DenseNet121",
    "densenet",
    input_size=224,
    smallest_input=32,
    pixel_spread=1.1,
    blocks=_DENSENET_BLOCKS,
    parameters=6_953_856,
    origin=_DENSENET,
)
_add(
    "densenet201",
    "DenseNet201",
    "densenet",
    input_size=224,
    smallest_input=32,
    pixel_spread=1.1,
    blocks=_DENSENET_BLOCKS,
    parameters=18_092_928,
    origin=_DENSENET,
)
_add(
    "inception_resnet_v2",
    "InceptionResNetV2",
    "inception_resnet_v2",
    input_size=299,
    smallest_input=75,
    pixel_spread=0.5,
    blocks={
        "block35": After("mixed_5b"),
        "mixed_6a": After("block35_10_ac"),
        "block17": After("mixed_6a"),
        "mixed_7a": After("block17_20_ac"),
        "block8": After("mixed_7a"),
        "conv_7b": "conv_7b",
    },
    parameters=54_276_192,
    origin="Szegedy et al. 2017, Inception-v4, Inception-ResNet and the impact of residual connections on learning",
)
_add(
    "xception",
    "Xception",
    "xception",
    input_size=299,
    smallest_input=71,
    pixel_spread=0.5,
    blocks={
        "block5": "block5_sepconv1_act",
        "block9": "block9_sepconv1_act",
        "block13": "block13_sepconv1_act",
        "block14": "block14_sepconv1",
    },
    parameters=20_806_952,
    branch=0,
    origin="Chollet 2017, Xception: deep learning with depthwise separable convolutions",
)
_add(
    "mobilenet",
    "MobileNet",
    "mobilenet",
    input_size=224,
    smallest_input=32,
    pixel_spread=0.5,
    blocks={f"conv_{number}": f"conv_pad_{number}" for number in (2, 4, 6, 12)},
    parameters=3_206_976,
    origin="Howard et al. 2017, MobileNets: efficient convolutional neural networks for mobile vision applications",
)
_add(
    "mobilenet_v3_small",
    "MobileNetV3Small",
    "mobilenet_v3",
    input_size=224,
    smallest_input=32,
    pixel_spread=0.5,
    gain=1.15,
    blocks={f"block_{number}": f"expanded_conv_{number}_expand" for number in (1, 3, 6, 8)} | {"conv_1": "conv_1"},
    parameters=927_008,
    branch=1,
    origin="Howard et al. 2019, Searching for MobileNetV3",
)
_add(
    "efficientnet_v2_b0",
    "EfficientNetV2B0",
    "efficientnet_v2",
    input_size=224,
    smallest_input=32,
    pixel_spread=1.1,
    blocks=_EFFICIENTNET_BLOCKS,
    parameters=5_858_704,
    branch=0,
    origin=_EFFICIENTNET,
)
_add(
    "efficientnet_v2_s",
    "EfficientNetV2S",
    "efficientnet_v2",
    input_size=384,
    smallest_input=32,
    batch_size=16,
    pixel_spread=0.5,
    blocks=_EFFICIENTNET_BLOCKS,
    parameters=20_177_488,
    branch=0,
    origin=_EFFICIENTNET,
)
_add(
    "convnext_tiny",
    "ConvNeXtTiny",
    "convnext",
    change=_as_depthwise,
    input_size=224,
    smallest_input=32,
    pixel_spread=1.1,
    blocks={f"stage{number + 1}": f"convnext_tiny_downsampling_block_{number}" for number in range(3)},
    parameters=27_820_128,
    origin="Liu et al. 2022, A ConvNet for the 2020s",
)
_add(
    "nasnet_mobile",
    "NASNetMobile",
    "nasnet",
    input_size=224,
    smallest_input=32,
    pixel_spread=0.5,
    blocks={"cell_5": After("reduction_concat_reduce_4"), "cell_9": After("reduction_concat_reduce_8")},
    parameters=4_232_978,
    backends=("tensorflow", "jax"),
    origin=_NASNET,
)
_add(
    "nasnet_large",
    "NASNetLarge",
    "nasnet",
    input_size=331,
    smallest_input=32,
    batch_size=16,
    pixel_spread=0.5,
    blocks={"cell_7": After("reduction_concat_reduce_6"), "cell_13": After("reduction_concat_reduce_12")},
    parameters=84_720_150,
    backends=("tensorflow", "jax"),
    origin=_NASNET,
)
_add(
    "resnet50_v2",
    "ResNet50V2",
    "resnet_v2",
    input_size=224,
    smallest_input=32,
    pixel_spread=0.5,
    blocks={f"conv{number}": f"conv{number}_block1_preact_bn" for number in range(2, 6)},
    parameters=23_519_360,
    origin="He et al. 2016, Identity mappings in deep residual networks",
)

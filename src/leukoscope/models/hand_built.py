"""The architectures built here, one row each: published networks that ``keras.applications`` lacks."""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from leukoscope.models.architecture import After, Architecture, register

if TYPE_CHECKING:
    import keras


def _add(name: str, builder: str, pixels: str | None = None, **facts: Any) -> None:
    """Register a row.

    Args:
        name: Name of the architecture.
        builder: Module and function here that build the trunk's output from the output of ``preprocess``.
        pixels: ``caffe``, ``tf`` or ``torch``, a Keras preprocessing mode; raw pixels if ``None``.
        facts: The remaining fields of the row; those for the builder are in ``options``.
    """
    options = facts.pop("options", {})

    def preprocess(images: "keras.KerasTensor") -> "keras.KerasTensor":
        from keras.applications.imagenet_utils import preprocess_input

        return preprocess_input(images, data_format="channels_last", mode=pixels) if pixels else images

    def build(images: "keras.KerasTensor", weights: str | None) -> "keras.Model":
        import keras

        outputs = _find(builder)(images, **options)
        trunk = keras.Model(keras.utils.get_source_inputs(images), outputs, name=name)
        if weights:
            trunk.load_weights(weights)
        return trunk

    saved_by = f"leukoscope.models.architecture.get('{name}').build(images, None)"
    facts |= {"imagenet": False, "pixels": pixels or "", "saved_by": saved_by}
    register(name, Architecture(preprocess=preprocess, build=build, **facts))


def _find(builder: str) -> Callable[..., Any]:
    module, function = builder.split(".")
    return getattr(import_module(f"{__package__}.{module}"), function)


def _build_two_channel(images: "keras.KerasTensor", weights: str | None) -> "keras.Model":
    from leukoscope.models.masked_networks import build_two_channel

    return build_two_channel(images, weights)


_RESNEXT_BLOCKS = {f"layer{number}": f"layer{number}_0_conv1" for number in range(2, 5)}
_ALEXNET_BLOCKS = {f"conv{number}": f"conv{number}" for number in range(2, 6)} | {"fc6": "fc6", "fc7": "fc7"}
_GOOGLENET_BLOCKS = {f"inception{number}": After(f"pool{number - 1}") for number in range(3, 6)}
_ALEXNET = "Krizhevsky et al. 2012, ImageNet classification with deep convolutional neural networks"
_FOUR_LAYERS = {f"conv{number}": f"conv{number}" for number in range(2, 5)}
_PALLEGAMA = "Pallegama et al. 2020, whose paper we have not seen"
_GOOGLENET = "Szegedy et al. 2015, Going deeper with convolutions"

_add(
    "resnet50_v15",
    "resnext.build_resnet50_v15",
    "torch",
    title="ResNet50 v1.5",
    input_size=224,
    smallest_input=32,
    pixel_spread=1.1,
    blocks=_RESNEXT_BLOCKS,
    parameters=23_508_032,
    branch=1,
    origin="He et al. 2016, Deep residual learning for image recognition: with the stride of a stage in its 3x3 "
    "convolution, as in torchvision and timm",
)
_add(
    "resnext50",
    "resnext.build_resnext50",
    "torch",
    title="ResNeXt50",
    input_size=224,
    smallest_input=32,
    pixel_spread=1.1,
    options={"squeeze": False},
    blocks=_RESNEXT_BLOCKS,
    parameters=22_979_904,
    branch=1,
    origin="Xie et al. 2017, Aggregated residual transformations for deep neural networks: 32 groups of 4, as in "
    "torchvision",
)
_add(
    "se_resnext50",
    "resnext.build_resnext50",
    "torch",
    title="SE-ResNeXt50",
    input_size=224,
    smallest_input=32,
    pixel_spread=1.1,
    dropout=0.0,
    options={"squeeze": True},
    blocks=_RESNEXT_BLOCKS,
    parameters=25_510_896,
    branch=1,
    origin="Hu et al. 2018, Squeeze-and-excitation networks, as Prellberg and Kramer 2019, Acute lymphoblastic "
    "leukemia classification from microscopic images using convolutional neural networks, have it in their code; "
    "softmax and ImageNet's mean and deviation of pixels are our choice",
)
_add(
    "alexnet",
    "alexnet.build_alexnet",
    "caffe",
    title="AlexNet",
    input_size=227,
    smallest_input=67,
    dropout=0.5,
    blocks=_ALEXNET_BLOCKS,
    parameters=56_868_224,
    origin=f"{_ALEXNET}: two towers, as in Caffe and MATLAB; the mean colour in place of a mean image, and average "
    "pooling to 6x6 where the input is of another size, are our choice",
)
_add(
    "alexnet_owt",
    "alexnet.build_alexnet_owt",
    "torch",
    title="AlexNet of one tower",
    input_size=224,
    smallest_input=63,
    pixel_spread=1.1,
    dropout=0.0,
    blocks=_ALEXNET_BLOCKS,
    parameters=57_003_840,
    origin="Krizhevsky 2014, One weird trick for parallelizing convolutional neural networks: as in torchvision",
)
_add(
    "googlenet",
    "googlenet.build_googlenet",
    "caffe",
    title="GoogLeNet",
    input_size=224,
    smallest_input=32,
    blocks=_GOOGLENET_BLOCKS,
    parameters=5_973_552,
    origin=f"{_GOOGLENET}: as in Caffe; without the auxiliary heads, which only train, which is our choice",
)
_add(
    "googlenet_bn",
    "googlenet.build_googlenet_bn",
    "tf",
    title="GoogLeNet with batch norm",
    input_size=224,
    smallest_input=32,
    pixel_spread=0.5,
    dropout=0.2,
    blocks=_GOOGLENET_BLOCKS,
    parameters=5_599_904,
    origin=f"{_GOOGLENET}: as in torchvision, with 3x3 kernels for the 5x5 ones; without the auxiliary heads, which "
    "only train, which is our choice",
)
_add(
    "sdct_cnn",
    "stain_networks.build_sdct_cnn",
    title="SDCT-CNN",
    input_size=224,
    smallest_input=33,
    pixel_spread=1.0,
    dropout=0.0,
    blocks={f"conv{number}": f"conv{number}" for number in range(2, 7)},
    parameters=87_177,
    origin="Gehlot et al. 2020, SDCT-AuxNet: DCT augmented stain deconvolutional CNN with auxiliary classifier for "
    "cancer diagnosis: the main classifier, layer by layer; whole fields of 224 pixels for cells of 350, the dyes that "
    "it starts from, and no auxiliary classifier are our choice",
)
_add(
    "leukonet_style",
    "stain_networks.build_leukonet_style",
    title="LeukoNet-style",
    input_size=224,
    smallest_input=32,
    pixel_spread=1.0,
    dropout=0.0,
    blocks={f"block{number}": f"od_block{number}_conv1" for number in range(2, 6)} | {"fc1": "fc1", "fc2": "fc2"},
    parameters=2_320_320,
    origin="Mourya et al. 2018, LeukoNet: DCT-based CNN architecture for the classification of normal versus leukemic "
    "blasts in B-ALL cancer, whose layers we have not seen: all are our choice, after another's published version",
)
_add(
    "four_layer_cnn",
    "masked_networks.build_four_layer_cnn",
    title="Four-layer CNN",
    input_size=128,
    smallest_input=16,
    pixel_spread=0.25,
    dropout=0.5,
    options={"masked": True},
    blocks=_FOUR_LAYERS,
    parameters=97_920,
    origin=f"{_PALLEGAMA}: all but the number of layers is our choice; it sees nuclei only, by the band of Ghaderzadeh "
    "et al. 2022",
)
_add(
    "four_layer_cnn_unmasked",
    "masked_networks.build_four_layer_cnn",
    title="Four-layer CNN, unmasked",
    input_size=128,
    smallest_input=16,
    pixel_spread=0.25,
    dropout=0.5,
    options={"masked": False},
    blocks=_FOUR_LAYERS,
    parameters=97_920,
    origin=f"{_PALLEGAMA}: the same network of whole fields, to stand beside it",
)
register(
    "two_channel",
    Architecture(
        title="Two-channel DenseNet201",
        input_size=224,
        smallest_input=32,
        preprocess=lambda images: images,
        build=_build_two_channel,
        blocks={f"conv{number}": f"field_conv{number}_block1_0_bn" for number in range(2, 6)},
        parameters=36_185_856,
        pixel_spread=1.1,
        batch_size=16,
        saved_by="keras.applications.DenseNet201(include_top=False)",
        origin="Ghaderzadeh et al. 2022, A fast and efficient CNN model for B-ALL diagnosis and its subtypes "
        "classification using peripheral blood smear images: field and segmented field, in the colours that they "
        "published; weights of their own for both, and ImageNet's mean and deviation of pixels, are our choice",
    ),
)

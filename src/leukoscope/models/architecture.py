"""The backbones, one row each: everything else follows from this table."""

from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType


@dataclass(frozen=True)
class Backbone:
    """What has to be known about a network of ``keras.applications``.

    Attributes:
        builder: Its name in ``keras.applications``.
        module: The module of ``keras.applications`` that has its ``preprocess_input``.
        title: Its name in figures and tables.
        input_size: Side in pixels of the images that its ImageNet weights were trained on.
        pixel_spread: Standard deviation, about, of the pixels that its preprocessing makes of an image.
        smallest_input: Smallest side in pixels that it accepts.
        batch_size: Images in a training step, unless the recipe says otherwise.
        dropout: Share of features dropped before the classifier, unless the recipe says otherwise.
        blocks: Where its blocks start, from input to output: the name of a block and that of the last layer
            before it.
    """

    builder: str
    module: str
    title: str
    input_size: int
    pixel_spread: float
    smallest_input: int
    batch_size: int
    dropout: float
    blocks: dict[str, str]


_VGG_BLOCKS = {f"block{number}": f"block{number - 1}_pool" for number in range(2, 6)}

BACKBONES = MappingProxyType(
    {
        "resnet50": Backbone(
            builder="ResNet50",
            module="resnet50",
            title="ResNet50",
            input_size=224,
            pixel_spread=64.0,
            smallest_input=32,
            batch_size=32,
            dropout=0.4,
            blocks={
                "conv2": "pool1_pool",
                "conv3": "conv2_block3_out",
                "conv4": "conv3_block4_out",
                "conv5": "conv4_block6_out",
            },
        ),
        "vgg16": Backbone(
            builder="VGG16",
            module="vgg16",
            title="VGG16",
            input_size=224,
            pixel_spread=64.0,
            smallest_input=32,
            batch_size=64,
            dropout=0.5,
            blocks=_VGG_BLOCKS,
        ),
        "vgg19": Backbone(
            builder="VGG19",
            module="vgg19",
            title="VGG19",
            input_size=224,
            pixel_spread=64.0,
            smallest_input=32,
            batch_size=32,
            dropout=0.4,
            blocks=_VGG_BLOCKS,
        ),
        "mobilenet_v2": Backbone(
            builder="MobileNetV2",
            module="mobilenet_v2",
            title="MobileNetV2",
            input_size=224,
            pixel_spread=0.5,
            smallest_input=32,
            batch_size=32,
            dropout=0.4,
            blocks={
                "block_1": "expanded_conv_project_BN",
                "block_3": "block_2_add",
                "block_6": "block_5_add",
                "block_10": "block_9_add",
                "block_13": "block_12_add",
                "Conv_1": "block_16_project_BN",
            },
        ),
        "inception_v3": Backbone(
            builder="InceptionV3",
            module="inception_v3",
            title="InceptionV3",
            input_size=299,
            pixel_spread=0.5,
            smallest_input=75,
            batch_size=32,
            dropout=0.4,
            blocks={f"mixed{number}": f"mixed{number - 1}" for number in range(1, 11)},
        ),
    }
)


def get(name: str) -> Backbone:
    """Get a registered architecture.

    Args:
        name: Like ``resnet50``.

    Raises:
        ValueError: There is none of that name.
    """
    require(name)
    return BACKBONES[name]


def require(name: str) -> None:
    """Make sure that there is an architecture of a name.

    Raises:
        ValueError: There is none; the message has the nearest one and all that exist.
    """
    if name not in BACKBONES:
        near = get_close_matches(name, BACKBONES, n=1)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise ValueError(f"there is no architecture '{name}': {hint}known are {', '.join(BACKBONES)}")

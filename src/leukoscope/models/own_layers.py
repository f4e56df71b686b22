"""The layers of our own that saved networks may have: importing this file makes them known to Keras, by name."""

from leukoscope.models.attention import EfficientChannelAttention, SqueezeExcitation
from leukoscope.models.grouped import GroupedConv2D
from leukoscope.models.pooling import AdaptiveAverage
from leukoscope.models.responses import LocalResponseNormalization

OWN_LAYERS = (
    AdaptiveAverage,
    EfficientChannelAttention,
    GroupedConv2D,
    LocalResponseNormalization,
    SqueezeExcitation,
)

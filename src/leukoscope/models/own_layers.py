"""Custom layers that saved networks may contain; importing this module registers them with Keras by name."""

from leukoscope.models.attention import EfficientChannelAttention, SqueezeExcitation
from leukoscope.models.bilinear import BilinearPooling
from leukoscope.models.cell_layers import CellPooling, CutStrip, FilledSlots, Luminance
from leukoscope.models.grouped import GroupedConv2D
from leukoscope.models.masking import NucleusMask
from leukoscope.models.normalising import ReinhardNormalisation
from leukoscope.models.optical import Dct2D, OpticalDensity, StainDeconvolution
from leukoscope.models.pooling import AdaptiveAverage
from leukoscope.models.responses import LocalResponseNormalization
from leukoscope.models.unmixing import MacenkoNormalisation

OWN_LAYERS = (
    AdaptiveAverage,
    BilinearPooling,
    CellPooling,
    CutStrip,
    Dct2D,
    EfficientChannelAttention,
    FilledSlots,
    GroupedConv2D,
    LocalResponseNormalization,
    Luminance,
    MacenkoNormalisation,
    NucleusMask,
    OpticalDensity,
    ReinhardNormalisation,
    SqueezeExcitation,
    StainDeconvolution,
)

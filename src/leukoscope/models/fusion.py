"""Fusion: several networks side by side, whose last stages' features are joined before the classifier.

After Kassani et al. 2019, A hybrid deep learning architecture for leukemic B-lymphoblast classification, of which only
the abstract was available: features of intermediate layers of two networks are fused. The choice of stages is ours,
and so is normalising each of them, so that no network dominates another.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from leukoscope.core.errors import InputError
from leukoscope.models import architecture
from leukoscope.models.architecture import After, Architecture

if TYPE_CHECKING:
    import keras

# Number of stages joined per network, including its last maps.
_STAGES = 3
_DROPOUT = 0.5
# The layer that joins the normalised means of the maps.
JOINED = "fused"


def fuse(names: Sequence[str]) -> Architecture:
    """Return the architecture that runs several others side by side.

    Args:
        names: Names of registered architectures, each once.
    """
    members = {name: architecture.get(name) for name in names}
    rows = members.values()
    smallest = max(row.smallest_input for row in rows)

    def build(images: "keras.KerasTensor", weights: str | None) -> "keras.Model":
        return _build(members, images, weights)

    return Architecture(
        title=" + ".join(row.title for row in rows),
        input_size=max(smallest, min(row.input_size for row in rows)),
        smallest_input=smallest,
        preprocess=lambda images: images,  # each member has its own
        build=build,
        blocks={},
        # Excludes the norms of the joined stages.
        parameters=sum(row.parameters for row in rows),
        batch_size=min(row.batch_size for row in rows),
        dropout=_DROPOUT,
        imagenet=all(row.imagenet for row in rows),
        backends=tuple(name for name in members[names[0]].backends if all(name in row.backends for row in rows)),
        members=tuple(names),
        saved_by="a trunk of the same members",
        origin="Kassani et al. 2019, A hybrid deep learning architecture for leukemic B-lymphoblast classification",
    )


def list_own_layers(trunk: "keras.Model", member: str) -> list["keras.Layer"]:
    """List the layers of one member of a fused trunk, from input to output."""
    return [layer for layer in trunk.layers if layer.name.startswith(_name(member, ""))]


def list_trunk(trunk: "keras.Model", member: str) -> list["keras.Layer"]:
    """List the layers of one member, without those that pool its maps into vectors."""
    pooling = _name(member, "fused_")
    return [layer for layer in list_own_layers(trunk, member) if not layer.name.startswith(pooling)]


def _name(member: str, layer: str) -> str:
    return f"{member}__{layer}"


def _build(members: dict[str, Architecture], images: "keras.KerasTensor", weights: str | None) -> "keras.Model":
    import keras
    from keras import layers

    source = keras.utils.get_source_inputs(images)
    shared = set(map(id, keras.Model(source, images).operations))
    from_imagenet = weights if weights == "imagenet" else None
    vectors = []
    for name, row in members.items():
        for number, maps in enumerate(_tap(row, row.build(row.preprocess(images), from_imagenet), source)):
            vector = layers.GlobalAveragePooling2D(name=f"fused_pool_{number}")(maps)
            vectors.append(layers.BatchNormalization(name=f"fused_norm_{number}")(vector))
        _rename(keras.Model(source, vectors), name, shared)
    trunk = keras.Model(source, layers.Concatenate(name=JOINED)(vectors))
    if weights not in (None, "imagenet"):
        trunk.load_weights(weights)
    return trunk


def _tap(row: Architecture, trunk: "keras.Model", source: list["keras.KerasTensor"]) -> list["keras.KerasTensor"]:
    """Return the inputs of the last blocks of a trunk, and its last maps.

    Raises:
        InputError: The trunk cannot be a member.
    """
    if trunk.inputs[0] is not source[0] or len(trunk.output.shape) != 4:
        raise InputError(f"{row.title} cannot be a member of a fusion: it gives no maps, or is a copy of a network.")
    maps = []
    for start in list(row.blocks.values())[1 - _STAGES :]:
        after = isinstance(start, After)
        layer = trunk.get_layer(start.layer if isinstance(start, After) else start)
        maps.append(layer.output if after else layer.input)
    return [*maps, trunk.output]


def _rename(model: "keras.Model", member: str, shared: set[int]) -> None:
    """Prefix a member's name to its layers' names, since Keras' own networks share some names."""
    for operation in model.operations:
        if id(operation) not in shared:
            operation.name = _name(member, operation.name)
            shared.add(id(operation))

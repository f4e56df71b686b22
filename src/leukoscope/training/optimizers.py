"""The optimizer of a recipe."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import keras

from leukoscope.models import architecture
from leukoscope.models.parts import FEATURES
from leukoscope.training.recipe import HEAD, STEM, Phase, ResolvedRecipe


class _BlockRates:
    """Lets variables learn at shares of the learning rate; a mixin that precedes one of Keras' optimizers.

    The shares scale the rate: scaling a gradient would do nothing under Adam, which divides by its magnitude.
    """

    shares: Mapping[str, float] = {}

    def _backend_update_step(self, grads: list[Any], trainable_variables: list[Any], learning_rate: Any) -> None:
        """Update the variables of each share separately. Each backend overrides the update that this calls."""
        members = defaultdict[float, list[tuple[Any, Any]]](list)
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            members[self.shares.get(variable.path, 1.0)].append((gradient, variable))
        for share, pairs in members.items():
            gradients, variables = zip(*pairs, strict=True)
            super()._backend_update_step(list(gradients), list(variables), learning_rate * share)  # type: ignore[misc]


class _Adam(_BlockRates, keras.optimizers.Adam):
    pass


class _SGD(_BlockRates, keras.optimizers.SGD):
    pass


def build_optimizer(
    recipe: ResolvedRecipe, phase: Phase, steps: int, precision: str, shares: Mapping[str, float] | None = None
) -> keras.optimizers.Optimizer:
    """Build Adam or SGD with momentum; weight decay never applies to biases and batch norm's scales and offsets.

    Args:
        recipe: Defines the optimizer, weight decay, clipping and averaging of weights.
        phase: Defines the learning rate and schedule.
        steps: Steps per epoch.
        precision: A Keras dtype policy; float16 needs loss scaling.
        shares: Shares of the learning rate, by the paths of variables; all others use the full rate.
    """
    options: dict[str, Any] = {
        "learning_rate": learning_rate(phase, steps, recipe.epoch_decay),
        "global_clipnorm": recipe.clip_norm,
        "use_ema": recipe.ema_momentum is not None,
        "ema_momentum": recipe.ema_momentum or 0.0,
    }
    if recipe.optimizer == "sgd":
        optimizer = (_SGD if shares else keras.optimizers.SGD)(
            momentum=recipe.momentum, weight_decay=recipe.weight_decay or None, **options
        )
    elif recipe.weight_decay:
        optimizer = keras.optimizers.AdamW(weight_decay=recipe.weight_decay, **options)
    else:
        optimizer = (_Adam if shares else keras.optimizers.Adam)(**options)
    if recipe.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    if shares:
        optimizer.shares = dict(shares)
    return keras.optimizers.LossScaleOptimizer(optimizer) if precision == "mixed_float16" else optimizer


def share_rates(network: keras.Model, architecture_name: str, rates: Mapping[str, float]) -> dict[str, float]:
    """Return each trainable variable's share of the learning rate, which depends on its block.

    Args:
        network: A classifier's network.
        architecture_name: Name of its architecture.
        rates: Shares by ``stem``, which precedes all blocks, the architecture's blocks, and ``head``.

    Returns:
        Shares by the variables' paths, of the blocks that ``rates`` names.

    Raises:
        InputError: The network's encoder ends before one of them.
    """
    row = architecture.get(architecture_name)
    names = [layer.name for layer in network.layers]
    for block in rates.keys() - {STEM, HEAD}:
        row.find_block(block, names)
    starts = {start: block for block, start in row.find_blocks(names).items()} | {names.index(FEATURES): HEAD}
    shares: dict[str, float] = {}
    block = STEM
    for number, layer in enumerate(network.layers):
        block = starts.get(number, block)
        if block in rates:
            shares |= {variable.path: rates[block] for variable in layer.trainable_variables}
    return shares


def learning_rate(
    phase: Phase, steps: int, epoch_decay: float = 1.0
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Return the learning rate: a number, or a schedule over the steps of the phase.

    Args:
        phase: A phase of a recipe.
        steps: Steps per epoch.
        epoch_decay: The factor of an exponential schedule per epoch, applied step by step.
    """
    if phase.schedule == "exponential":
        return _Exponential(phase.learning_rate, epoch_decay ** (1 / steps), phase.warmup_epochs * steps)
    if phase.schedule == "constant" and not phase.warmup_epochs:
        return phase.learning_rate
    decay = phase.stop - phase.start - phase.warmup_epochs
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if phase.warmup_epochs else phase.learning_rate,
        decay_steps=max(1, decay * steps),
        alpha=0.0 if phase.schedule == "cosine" else 1.0,
        warmup_target=phase.learning_rate if phase.warmup_epochs else None,
        warmup_steps=phase.warmup_epochs * steps,
    )


class _Exponential(keras.optimizers.schedules.LearningRateSchedule):
    """Exponential decay with a linear warm-up, which Keras' own schedule lacks."""

    def __init__(self, highest: float, step_decay: float, warmup_steps: int) -> None:
        self.highest = highest
        self.step_decay = step_decay
        self.warmup_steps = warmup_steps

    def __call__(self, step: Any) -> Any:
        """Return the learning rate of a step."""
        step = keras.ops.cast(step, "float32")
        rising = step / max(self.warmup_steps, 1)
        falling = keras.ops.power(self.step_decay, keras.ops.maximum(step - self.warmup_steps, 0.0))
        return self.highest * keras.ops.where(step < self.warmup_steps, rising, falling)

    def get_config(self) -> dict[str, float]:
        """Return the arguments."""
        return {"highest": self.highest, "step_decay": self.step_decay, "warmup_steps": self.warmup_steps}

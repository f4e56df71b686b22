"""The optimizer of a recipe."""

import keras

from leukoscope.training.recipe import Phase, ResolvedRecipe


def build_optimizer(recipe: ResolvedRecipe, phase: Phase, steps: int, precision: str) -> keras.optimizers.Optimizer:
    """Build Adam, or AdamW where weights decay: biases, and batch norm's scales and offsets, never do.

    Args:
        recipe: Weight decay, clipping and averaging of weights.
        phase: Its learning rate and schedule.
        steps: Of an epoch.
        precision: A Keras dtype policy; float16 needs its loss scaled.
    """
    options = {
        "learning_rate": learning_rate(phase, steps),
        "global_clipnorm": recipe.clip_norm,
        "use_ema": recipe.ema_momentum is not None,
        "ema_momentum": recipe.ema_momentum or 0.0,
    }
    if recipe.weight_decay:
        optimizer = keras.optimizers.AdamW(weight_decay=recipe.weight_decay, **options)
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    else:
        optimizer = keras.optimizers.Adam(**options)
    return keras.optimizers.LossScaleOptimizer(optimizer) if precision == "mixed_float16" else optimizer


def learning_rate(phase: Phase, steps: int) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Give the learning rate: a number, or a schedule over the steps of the phase.

    Args:
        phase: A phase of a recipe.
        steps: Of an epoch.
    """
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

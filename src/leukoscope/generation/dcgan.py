"""Training and sampling of a class-conditional DCGAN."""

import keras
import numpy as np
from keras import ops

from leukoscope.generation.learner import compile_options, draw_weights, predict_in_parts
from leukoscope.generation.networks import NOISE, build_discriminator, build_generator
from leukoscope.generation.options import GenerationOptions

_BETA = 0.5  # Adam's decay rate of the first moment, as in Radford et al. 2016
_DEVIATION = 0.02  # standard deviation of the initial weights, as in Radford et al. 2016


class AdversarialLearner:
    """Trains discriminator and generator alternately, as two compiled models, one step each per batch.

    The discriminator's loss is the hinge loss; the generator's is the negated mean score of the images it draws. Keras
    compiles each model separately, so no backend needs a custom training step; the price is that drawn images are
    copied to NumPy and back in every step.

    Args:
        classes: Number of classes.
        options: Options of the training.
        seed: Seed of the initial weights.
    """

    title = "DCGAN"

    def __init__(self, classes: int, options: GenerationOptions, seed: int) -> None:
        self.generator = build_generator(classes)
        self.discriminator = build_discriminator(classes)
        draw_weights(self.generator, seed, _DEVIATION)
        draw_weights(self.discriminator, seed + 1, _DEVIATION)
        self.classes = classes
        self.joint = self._join()
        for model, loss in ((self.discriminator, "hinge"), (self.joint, _negated_score)):
            optimizer = keras.optimizers.Adam(options.learning_rate, beta_1=_BETA)
            self._train_only(model)
            model.compile(optimizer, loss, **compile_options())
            optimizer.build(model.trainable_variables)

    def learn(self, generator: np.random.Generator, images: np.ndarray, classes: np.ndarray) -> dict[str, float]:
        """Take a step of the discriminator, with half of its batch drawn, and then one of the generator."""
        drawn, drawn_classes = self._draw_anyhow(generator, len(images))
        both = np.concatenate([images, drawn])
        kinds = np.concatenate([classes, drawn_classes]).astype("int32")
        targets = np.repeat([1.0, -1.0], len(images)).astype("float32")[:, None]
        self._train_only(self.discriminator)
        self.discriminator.reset_metrics()
        discriminator_loss = float(self.discriminator.train_on_batch([both, kinds], targets))
        self._train_only(self.joint)
        self.joint.reset_metrics()
        inputs = self._draw_inputs(generator, 2 * len(images))
        generator_loss = float(self.joint.train_on_batch(list(inputs), np.ones((2 * len(images), 1), "float32")))
        return {"loss": discriminator_loss, "generator_loss": generator_loss}

    def judge(self, generator: np.random.Generator, images: np.ndarray, classes: np.ndarray) -> float:
        """Return the discriminator's hinge loss on held-out images and as many drawn ones."""
        real = predict_in_parts(self.discriminator, images.astype("float32"), classes.astype("int32"))
        drawn = predict_in_parts(self.discriminator, *self._draw_anyhow(generator, len(images)))
        return float(np.mean([np.maximum(1 - real, 0), np.maximum(1 + drawn, 0)]))

    def finish(self) -> None:
        """Do nothing: the last weights are used for drawing."""

    def draw(self, generator: np.random.Generator, classes: np.ndarray) -> np.ndarray:
        """Draw an image for each class index."""
        noise = generator.standard_normal((len(classes), NOISE)).astype("float32")
        return predict_in_parts(self.generator, noise, classes.astype("int32"))

    def list_state(self) -> list[keras.Variable]:
        """List the variables needed to resume training: both networks and both optimizers."""
        networks = [*self.generator.weights, *self.discriminator.weights]
        return [*networks, *self.discriminator.optimizer.variables, *self.joint.optimizer.variables]

    def list_weights(self) -> list[keras.Variable]:
        """List the variables needed for drawing."""
        return self.generator.weights

    def _join(self) -> keras.Model:
        """Build the model from noise and class to the discriminator's score of the generator's images.

        The discriminator is called in training mode, so that its weights have norm 1 here under any backend: JAX does
        not keep the divisors between the steps in which the weights train.
        """
        noise = keras.Input((NOISE,))
        kind = keras.Input((), dtype="int32")
        score = self.discriminator([self.generator([noise, kind]), kind], training=True)
        return keras.Model([noise, kind], score, name="joint")

    def _train_only(self, model: keras.Model) -> None:
        """Make only the given model's part trainable: backends check this at every step."""
        self.discriminator.trainable = model is self.discriminator

    def _draw_inputs(self, generator: np.random.Generator, number: int) -> tuple[np.ndarray, np.ndarray]:
        noise = generator.standard_normal((number, NOISE)).astype("float32")
        return noise, generator.integers(self.classes, size=number).astype("int32")

    def _draw_anyhow(self, generator: np.random.Generator, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw images of random classes, and return them with their classes."""
        noise, kinds = self._draw_inputs(generator, number)
        return predict_in_parts(self.generator, noise, kinds), kinds


def _negated_score(targets: keras.KerasTensor, scores: keras.KerasTensor) -> keras.KerasTensor:
    return -ops.mean(targets * scores, axis=-1)

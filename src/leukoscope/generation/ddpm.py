"""Training and sampling of a class-conditional denoising diffusion model."""

import keras
import numpy as np

from leukoscope.generation import diffusion
from leukoscope.generation.learner import compile_options, draw_weights, predict_in_parts
from leukoscope.generation.networks import SIDE, build_unet
from leukoscope.generation.options import GenerationOptions


class DiffusionLearner:
    """Learns to predict the noise in a noisy image, given step and class, with the mean squared error.

    NumPy adds the noise, so that the trained model is plain Keras with a standard loss under any backend.

    Args:
        classes: Number of classes.
        options: Options of the training.
        seed: Seed of the initial weights.
    """

    title = "DDPM"

    def __init__(self, classes: int, options: GenerationOptions, seed: int) -> None:
        self.schedule = diffusion.make_schedule()
        self.sampling_steps = options.sampling_steps
        self.network = build_unet(classes)
        draw_weights(self.network, seed)
        optimizer = keras.optimizers.Adam(options.learning_rate, use_ema=True, ema_momentum=options.ema_momentum)
        self.network.compile(optimizer, "mean_squared_error", **compile_options())
        optimizer.build(self.network.trainable_variables)

    def learn(self, generator: np.random.Generator, images: np.ndarray, classes: np.ndarray) -> dict[str, float]:
        """Take a step."""
        inputs, noise = self._make_noisy(generator, images, classes)
        self.network.reset_metrics()
        return {"loss": float(self.network.train_on_batch(inputs, noise))}

    def judge(self, generator: np.random.Generator, images: np.ndarray, classes: np.ndarray) -> float:
        """Return the mean squared error on held-out images, with the current weights."""
        inputs, noise = self._make_noisy(generator, images, classes)
        return float(np.mean((predict_in_parts(self.network, *inputs) - noise) ** 2))

    def finish(self) -> None:
        """Replace the weights by their moving average."""
        self.network.optimizer.finalize_variable_values(self.network.trainable_variables)

    def draw(self, generator: np.random.Generator, classes: np.ndarray) -> np.ndarray:
        """Draw an image for each class index by DDIM."""
        noise = generator.standard_normal((len(classes), SIDE, SIDE, 3))

        def predict(images: np.ndarray, step: int) -> np.ndarray:
            steps = diffusion.embed_steps(np.full(len(images), step))
            return predict_in_parts(self.network, images.astype("float32"), steps, classes.astype("int32"))

        return diffusion.sample(predict, noise, self.schedule, self.sampling_steps)

    def list_state(self) -> list[keras.Variable]:
        """List the variables needed to resume training: weights, their averages, Adam's moments."""
        return [*self.network.weights, *self.network.optimizer.variables]

    def list_weights(self) -> list[keras.Variable]:
        """List the variables needed for drawing."""
        return self.network.weights

    def _make_noisy(
        self, generator: np.random.Generator, images: np.ndarray, classes: np.ndarray
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """Draw a step, from 1 on, and noise for each image; return the network's inputs and the target noise."""
        steps = generator.integers(1, len(self.schedule), len(images))
        noise = generator.standard_normal(images.shape)
        noisy = diffusion.add_noise(images, noise, steps, self.schedule)
        inputs = [noisy.astype("float32"), diffusion.embed_steps(steps), classes.astype("int32")]
        return inputs, noise.astype("float32")

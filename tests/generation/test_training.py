"""What a generator learns from, and that an interrupted training comes to the same; of real networks a few steps."""

import keras
import numpy as np
import pandas as pd
import pytest

from leukoscope.core.errors import InputError
from leukoscope.generation import diffusion, networks, training
from leukoscope.generation.dcgan import AdversarialLearner
from leukoscope.generation.ddpm import DiffusionLearner
from leukoscope.generation.options import GenerationOptions
from leukoscope.training import checkpoint
from leukoscope.training.runs import TrainingRuns


class Learner:
    """Remembers what it is shown; its one weight depends on all of it, and on what is drawn."""

    title = "learner"
    loss = 0.5

    def __init__(self, classes: int, options: GenerationOptions, seed: int) -> None:
        self.weight = keras.Variable(np.full((1, 1), float(seed)), dtype="float32")
        self.shown, self.held = [], []

    def learn(self, generator, images, classes) -> dict:
        self.shown += list(zip(diffusion.to_pixels(images), classes, strict=True))
        self.weight.assign(0.5 * self.weight + images.mean() + generator.random())
        return {"loss": self.loss}

    def judge(self, generator, images, classes) -> float:
        self.held = list(zip(diffusion.to_pixels(images), classes, strict=True))
        return float(generator.random())

    def finish(self) -> None:
        self.weight.assign(self.weight + 100)

    def draw(self, generator, classes) -> np.ndarray:
        return np.broadcast_to(classes[:, None, None, None] / 2 - 1, (len(classes), 64, 64, 3))

    def list_state(self) -> list:
        return [self.weight]

    list_weights = list_state


@pytest.fixture
def options() -> GenerationOptions:
    return GenerationOptions(epochs=3, batch_size=10, images_per_class=2)


@pytest.fixture
def train(smears, splits, class_names, tmp_path, monkeypatch, options):
    """Train a learner in a folder; of several trainings there the later ones go on."""
    monkeypatch.setitem(training._LEARNERS, "ddpm", Learner)
    smears.records = splits[["image_id"]].assign(sha256=splits["image_id"])
    smears.pixels = np.random.default_rng(1).integers(0, 256, smears.pixels.shape, np.uint8)

    def run(folder: str = "generator", images: pd.DataFrame = splits):
        key = training.make_key(options, class_names, smears, splits, seed=4)
        journal = TrainingRuns(tmp_path / folder).start(key).journal
        return training.train(smears, images, options, journal), journal

    return run


def list_mirrored(images: np.ndarray) -> list[set[bytes]]:
    views = [images, images[:, ::-1], images[:, :, ::-1], images[:, ::-1, ::-1]]
    return [{view[row].tobytes() for view in views} for row in range(len(images))]


def test_a_generator_sees_training_images_alone_mirrored_at_random(train, smears, splits, class_names):
    learner, journal = train()
    images = splits[splits["split"] == "train"]
    known = list_mirrored(training.shrink(smears, images))
    classes = training.number_classes(images, class_names)
    assert len(learner.shown) == 3 * 110  # of 112: batches are whole
    first = [next(row for row, views in enumerate(known) if image.tobytes() in views) for image, _ in learner.shown]
    assert len(set(first[:110])) == 110
    assert first[:110] != first[110:220]
    assert [kind for _, kind in learner.shown] == classes[first].tolist()
    assert len({image.tobytes() for image, _ in learner.shown}) > 112
    held = training.shrink(smears, splits[splits["split"] == "validation"])
    assert (np.stack([image for image, _ in learner.held]) == held).all()
    assert journal.summary()["epochs"] == 3


@pytest.mark.slow
def test_an_interrupted_training_comes_to_the_same(train, monkeypatch):
    whole, _ = train("whole")
    judge = Learner.judge
    calls = []

    def die(self, *facts):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return judge(self, *facts)

    monkeypatch.setattr(Learner, "judge", die)
    with pytest.raises(KeyboardInterrupt):
        train("cut")
    mended, journal = train("cut")
    assert len(mended.shown) == 110
    assert float(mended.weight[0, 0]) == pytest.approx(float(whole.weight[0, 0]), abs=1e-6)
    assert journal.history()["epoch"].tolist() == [1, 2, 3]


def test_a_finished_training_is_not_repeated(train):
    first, _ = train()
    again, _ = train()
    assert again.shown == []
    assert float(again.weight[0, 0]) == float(first.weight[0, 0]) > 100


def test_a_class_without_training_images_is_refused(train, splits):
    with pytest.raises(InputError, match="no training image of Pre"):
        train(images=splits[(splits["label"] != "Pre") | (splits["split"] != "train")])


def test_a_loss_that_is_no_number_ends_the_training(train, monkeypatch):
    monkeypatch.setattr(Learner, "loss", float("nan"))
    with pytest.raises(InputError, match=r"no longer a number in epoch 1.*generation.learning_rate"):
        train()


def test_a_set_has_as_many_images_of_each_class_and_says_what_it_comes_from(train, options):
    learner, journal = train()
    generated = training.draw_set(learner, journal.key, options)
    assert generated.classes.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert generated.pixels[:, 0, 0, 0].tolist() == [0, 0, 64, 64, 128, 128, 191, 191]
    assert generated.splits == journal.key["splits"]
    assert generated.facts["generator"]["model"] == "ddpm"


@pytest.mark.parametrize(
    ("values", "same"),
    [
        ({}, True),
        ({"images_per_class": 9, "sampling_steps": 9, "judge": {"architecture": "vgg16"}}, True),
        ({"epochs": 4}, False),
        ({"ema_momentum": 0.5}, False),
        ({"model": "dcgan"}, False),
    ],
)
def test_the_key_has_what_the_training_depends_on(smears, splits, class_names, values, same):
    keys = [training.make_key(GenerationOptions(**given), class_names, smears, splits, 1) for given in ({}, values)]
    assert (keys[0] == keys[1]) == same


def test_of_a_gan_the_average_does_not_matter():
    assert "ema_momentum" not in GenerationOptions(model="dcgan").determining


@pytest.fixture
def narrow(monkeypatch):
    monkeypatch.setattr(networks, "CHANNELS", (8, 8, 16))


@pytest.mark.slow
@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("kind", [DiffusionLearner, AdversarialLearner])
def test_a_learner_goes_on_from_its_state_and_draws(kind, tmp_path, rng):
    options = GenerationOptions(learning_rate=1e-3, ema_momentum=0.5, sampling_steps=2)
    images = rng.uniform(-1, 1, (8, 64, 64, 3)).astype("float32")
    classes = np.arange(8) % 4

    def step(learner, seed: int) -> list[np.ndarray]:
        learner.learn(np.random.default_rng(seed), images, classes)
        return [np.array(keras.ops.convert_to_numpy(variable)) for variable in learner.list_state()]

    first, other = kind(4, options, 1), kind(4, options, 2)
    for seed in range(3):  # what starts at zero lets nothing behind it learn in the first steps
        before = step(first, seed)
    checkpoint.save_variables(tmp_path / "state.npz", first.list_state())
    checkpoint.load_variables(tmp_path / "state.npz", other.list_state())
    after, repeated = step(first, 9), step(other, 9)
    assert sum((one != two).any() for one, two in zip(before, after, strict=True)) > 0.8 * len(after)
    for one, two in zip(after, repeated, strict=True):
        assert one == pytest.approx(two, abs=1e-4)
    drawn = first.draw(np.random.default_rng(3), classes)
    assert drawn.shape == (8, 64, 64, 3)
    assert (drawn == first.draw(np.random.default_rng(3), classes)).all()
    assert np.isfinite(first.judge(np.random.default_rng(3), images, classes))


@pytest.mark.slow
@pytest.mark.usefixtures("narrow")
def test_a_diffusion_model_draws_by_the_average_of_its_weights(rng):
    learner = DiffusionLearner(4, GenerationOptions(ema_momentum=0.75, learning_rate=1e-2), 1)
    seen = []
    for _ in range(2):
        learner.learn(rng, rng.uniform(-1, 1, (4, 64, 64, 3)).astype("float32"), np.arange(4))
        seen.append(learner.network.get_layer("noise").get_weights()[0])
    learner.finish()
    averaged = learner.network.get_layer("noise").get_weights()[0]
    assert averaged == pytest.approx(0.75 * seen[0] + 0.25 * seen[1], abs=1e-6)
    assert np.abs(seen[0] - seen[1]).max() > 1e-3


@pytest.mark.slow
def test_only_the_turn_of_each_network_changes_it(rng):
    learner = AdversarialLearner(4, GenerationOptions(), 1)
    images, classes = rng.uniform(-1, 1, (4, 64, 64, 3)).astype("float32"), np.arange(4)
    trained = []
    for model in (learner.discriminator, learner.joint):
        fit = model.train_on_batch

        def watch(*facts, model=model, fit=fit):
            trained.append({variable.path for variable in model.trainable_variables})
            return fit(*facts)

        model.train_on_batch = watch
    learner.learn(rng, images, classes)
    judging = [variable.path for variable in learner.discriminator.weights]
    assert trained[0] == {path for path in judging if "vector_u" not in path}
    assert trained[1] == {variable.path for variable in learner.generator.trainable_variables}

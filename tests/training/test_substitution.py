import numpy as np
import pytest

from leukoscope.images.batches import TrainingBatches
from leukoscope.images.generated import GeneratedImages
from leukoscope.training.mixing import Mixing
from leukoscope.training.substitution import Substitution

NAMES = ("a", "b", "c", "d")


@pytest.fixture
def generated() -> GeneratedImages:
    """Two images of 4 pixels a side for each class, of 200 and more by their class."""
    classes = np.repeat(np.arange(4), 2)
    pixels = np.broadcast_to((200 + 10 * classes)[:, None, None, None], (8, 4, 4, 3)).astype(np.uint8)
    return GeneratedImages(pixels, classes, NAMES, "splits", {})


def make_batches(*changes, images: int = 40) -> TrainingBatches:
    classes = np.arange(images) % 4
    pixels = np.zeros((images, 12, 12, 3), np.uint8)
    weights = 1.0 + classes
    batches = TrainingBatches(pixels, np.arange(images), classes, weights, n_classes=4, batch_size=10, seed=3)
    batches.changes = list(changes)
    return batches


def test_a_share_of_each_batch_is_generated_and_of_its_class(generated):
    batches = make_batches(Substitution(generated, 0.25))
    seen = []
    for epoch in range(30):
        batches.go_to(epoch)
        for number in range(len(batches)):
            images, labels, weights = batches[number]
            classes = labels.argmax(axis=1)
            shades = images[:, 0, 0, 0]
            assert set(shades[shades > 0] - 10 * classes[shades > 0]) <= {200}
            assert (images == shades[:, None, None, None]).all()
            assert (weights == 1 + classes).all()
            seen.append(int((shades > 0).sum()))
    assert set(seen) == {2, 3}
    assert np.mean(seen) == pytest.approx(2.5, abs=0.15)


def test_real_images_stay_as_they_are(generated):
    batches = make_batches(Substitution(generated, 0.5))
    batches[0]
    assert not batches.array.any()


def test_a_batch_is_the_same_whenever_it_is_asked_for(generated):
    one, other = (make_batches(Substitution(generated, 0.3))[2] for _ in range(2))
    assert all((ours == theirs).all() for ours, theirs in zip(one, other, strict=True))


def test_generated_images_are_mixed_too(generated):
    plain, mixed = (make_batches(Substitution(generated, 0.5), *more)[0] for more in ((), (Mixing(mixup=1.0),)))
    assert set(np.unique(plain[0])) <= {0, 200, 210, 220, 230}
    assert not set(np.unique(mixed[0])) <= {0, 200, 210, 220, 230}

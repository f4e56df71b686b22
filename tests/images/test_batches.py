import keras
import numpy as np
import pytest

from leukoscope.images.batches import ImageBatches, TrainingBatches, ViewBatches

PIXELS = np.arange(10, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)


def training(**options):
    rows = np.array([1, 3, 3, 5, 7])
    values = {"n_classes": 2, "batch_size": 2, "seed": 1} | options
    return TrainingBatches(PIXELS, rows, np.array([0, 1, 1, 0, 1]), np.array([1.0, 2, 2, 1, 1]), **values)


def seen(batches):
    return [row for number in range(len(batches)) for row in batches[number][0][:, 0, 0, 0].tolist()]


def test_an_epoch_sees_each_row_as_often_as_it_stands():
    batches = training()
    assert sorted(seen(batches)) == [1, 3, 3, 5, 7]
    assert [len(batches[number][0]) for number in range(3)] == [2, 2, 1]
    for number in range(3):
        images, labels, weights = batches[number]
        expected = {1: (0, 1), 3: (1, 2), 5: (0, 1), 7: (1, 1)}
        found = zip(images[:, 0, 0, 0].tolist(), labels.argmax(axis=1).tolist(), weights.tolist(), strict=True)
        assert all(expected[row] == (label, weight) for row, label, weight in found)


def test_the_order_depends_on_the_seed_and_the_epoch_alone():
    one, other = training(), training()
    one.go_to(3)
    assert seen(one) != seen(other)
    for epoch in (1, 3):
        other.go_to(epoch)
    assert seen(one) == seen(other)
    different = training(seed=2)
    different.go_to(3)
    assert seen(different) != seen(one)


def test_whole_batches_leave_out_what_does_not_fill_the_last():
    batches = training(whole=True)
    assert [len(batches[number][0]) for number in range(len(batches))] == [2, 2]


def test_each_epoch_sees_one_view_of_each_image_and_another_the_next_time():
    views = np.array([[[view * 100 + image] for view in range(3)] for image in range(5)])
    batches = ViewBatches(views, np.zeros(5, int), np.ones(5), n_classes=2, batch_size=2, seed=0)
    epochs = []
    for epoch in range(3):
        batches.go_to(epoch)
        values = np.concatenate([batches[number][0][:, 0] for number in range(len(batches))])
        assert sorted(values % 100) == [0, 1, 2, 3, 4]
        epochs.append(set(values))
    assert len(set.union(*epochs)) == 15


def test_threads_make_batches_of_images_alone():
    features = ViewBatches(np.ones((5, 3, 2)), np.zeros(5, int), np.ones(5), n_classes=2, batch_size=2, seed=0)
    assert features.workers == ImageBatches(np.ones((5, 2)), np.arange(5), batch_size=2).workers == 1
    expected = 2 if keras.backend.backend() == "tensorflow" else 1
    assert training().workers == ImageBatches(PIXELS, np.arange(5), batch_size=2).workers == expected


@pytest.mark.parametrize("count", [4, 5])
def test_a_filled_up_validation_weighs_what_it_did(count):
    labels = np.eye(2, dtype="float32")[np.arange(count) % 2]
    batches = ImageBatches(PIXELS, np.arange(count), labels, batch_size=4, whole=True)
    parts = [batches[number] for number in range(len(batches))]
    assert all(len(images) == len(held) == len(weights) == 4 for images, held, weights in parts)
    values = np.concatenate([images[:, 0, 0, 0] for images, _, _ in parts])
    weights = np.concatenate([weights for _, _, weights in parts])
    assert (values * weights).mean() == pytest.approx(np.arange(count).mean())


def test_images_come_in_order_without_labels():
    batches = ImageBatches(PIXELS, np.array([4, 2, 9]), batch_size=2)
    assert [batches[number][0][:, 0, 0, 0].tolist() for number in range(2)] == [[4, 2], [9]]

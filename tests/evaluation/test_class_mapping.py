import numpy as np
import pytest

from leukoscope.evaluation.class_mapping import ClassMapping

PROBABILITIES = np.array([[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.1, 0.1]])


def test_without_a_map_folders_are_the_classes(class_names):
    mapping = ClassMapping.resolve(None, class_names, ["Benign"])
    assert mapping.by_folder == {name: name for name in class_names}
    assert mapping.collapse(PROBABILITIES) == pytest.approx(PROBABILITIES)


def test_two_classes_add_up_what_is_malignant(class_names):
    mapping = ClassMapping.resolve({"hem": "Benign", "all": "malignant", "Pro": "Pro"}, class_names, ["Benign"])
    assert mapping.class_names == ("Benign", "malignant")
    assert mapping.by_folder == {"hem": "Benign", "all": "malignant", "Pro": "malignant"}
    assert mapping.collapse(PROBABILITIES) == pytest.approx(np.array([[0.1, 0.9], [0.7, 0.3]]))


def test_probabilities_of_single_precision_add_up_to_one_and_no_more(class_names, rng):
    logits = rng.normal(0, 6, (5000, 4)).astype("float32")
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    rounded = powers / powers.sum(axis=1, keepdims=True)
    assert rounded[:, 1:].sum(axis=1).max() > 1  # so it is that they are rounded
    collapsed = ClassMapping.resolve({"all": "malignant"}, class_names, ["Benign"]).collapse(rounded)
    assert collapsed.dtype == np.float64
    assert collapsed.max() <= 1
    assert collapsed.sum(axis=1) == pytest.approx(1, abs=1e-15)
    assert collapsed[:, 1] == pytest.approx(rounded[:, 1:].astype(float).sum(axis=1), abs=2e-7)


def test_the_benign_class_may_be_anywhere():
    mapping = ClassMapping.resolve({"x": "B", "y": "malignant"}, ["A", "B", "C", "D"], ["B"])
    assert mapping.collapse(PROBABILITIES) == pytest.approx(np.array([[0.2, 0.8], [0.1, 0.9]]))


def test_a_class_that_there_is_not_is_refused(class_names):
    with pytest.raises(ValueError, match="hem holds 'benign'; it can hold Benign, Early, Pre, Pro, malignant"):
        ClassMapping.resolve({"hem": "benign"}, class_names, ["Benign"])


def test_what_is_predicted_goes_by_the_classifiers_own_classes(class_names):
    mapping = ClassMapping.resolve({"hem": "Benign", "all": "malignant"}, class_names, ["Benign"])
    assert mapping.translate(np.array([0, 1, 2, 3, 0])).tolist() == [0, 1, 1, 1, 0]


def test_prediction_sets_follow_their_class():
    swapped = ClassMapping.resolve({"x": "malignant", "y": "HEM"}, ["ALL", "HEM"], ["HEM"])
    assert swapped.class_names == ("HEM", "malignant")
    assert swapped.select_sets([[0.1], [0.2]]) == [[0.2], [0.1]]
    joined = ClassMapping.resolve({"x": "malignant"}, ["A", "B", "C"], ["B"])
    assert joined.select_sets([[0.1], [0.2], [0.3]]) == []


def test_a_class_of_that_name_is_told_apart_as_it_is():
    classes = ["Normal", "malignant", "Reactive"]
    mapping = ClassMapping.resolve({"x": "malignant", "y": "Normal"}, classes, ["Normal", "Reactive"])
    assert mapping.class_names == tuple(classes)
    assert mapping.benign == ("Normal", "Reactive")


def test_several_benign_classes_are_one_where_they_are_not_told_apart():
    classes, benign = ["Normal", "Pre", "Reactive", "Pro"], ["Normal", "Reactive"]
    mapping = ClassMapping.resolve({"x": "Reactive", "y": "malignant", "z": "Normal"}, classes, benign)
    assert mapping.class_names == ("benign", "malignant")
    assert mapping.benign == ("benign",)
    assert mapping.by_folder == {"x": "benign", "y": "malignant", "z": "benign"}
    assert mapping.collapse(PROBABILITIES) == pytest.approx(np.array([[0.4, 0.6], [0.8, 0.2]]))
    assert mapping.translate(np.array([0, 1, 2, 3])).tolist() == [0, 1, 0, 1]
    assert ClassMapping.resolve(None, classes, benign).benign == ("Normal", "Reactive")

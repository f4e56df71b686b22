from leukoscope.audit.baseline import predict_by_colour


def test_colour_that_tells_the_classes_apart_is_enough(smears, splits):
    predicted = predict_by_colour(smears, splits, trees=20, seed=1)
    assert predicted.tolist() == splits.loc[splits["split"] == "test", "label"].tolist()


def test_nothing_is_learned_of_images_that_do_not_train(smears, splits):
    others = splits["split"] != "train"
    predicted = predict_by_colour(smears, splits.assign(label=splits["label"].mask(others, "Pro")), trees=20, seed=1)
    assert predicted.tolist() == splits.loc[splits["split"] == "test", "label"].tolist()


def test_validation_images_are_not_learned_from(smears, splits):
    """A class that only validation shows is one that the forest has never heard of."""
    never = splits[(splits["label"] == "Pro") & (splits["split"] == "train")].index
    predicted = predict_by_colour(smears, splits.drop(index=never), trees=20, seed=1)
    assert len(predicted) == 24
    assert "Pro" not in set(predicted)

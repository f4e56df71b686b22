from leukoscope.audit.baseline import predict_by_colour


def test_colour_that_tells_the_classes_apart_is_enough(smears, splits):
    called = predict_by_colour(smears, splits, trees=20, seed=1)
    assert called.tolist() == splits.loc[splits["split"] == "test", "label"].tolist()


def test_nothing_is_learned_of_images_that_do_not_train(smears, splits):
    others = splits["split"] != "train"
    called = predict_by_colour(smears, splits.assign(label=splits["label"].mask(others, "Pro")), trees=20, seed=1)
    assert called.tolist() == splits.loc[splits["split"] == "test", "label"].tolist()

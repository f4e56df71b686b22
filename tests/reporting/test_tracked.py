"""What is read of a run in MLflow before anything else."""

from compared import make_comparison
from leukoscope.reporting.tracked import describe_model, describe_session, pick_figures


def test_a_session_is_its_best_model_and_what_colour_reaches():
    tables = make_comparison()
    figures = pick_figures(tables["comparison"], tables["colour_baseline"])
    assert figures == {"best_test_accuracy": 0.9, "colour_accuracy": 0.5, "best_gain_over_colour": 0.4}
    assert pick_figures(tables["comparison"], None) == {"best_test_accuracy": 0.9}


def test_figures_of_other_test_images_stand_for_nothing():
    tables = make_comparison()
    comparison = tables["comparison"].assign(splits=["now", "before"])
    assert pick_figures(comparison, tables["colour_baseline"])["best_test_accuracy"] == 0.8
    assert "VGG16" not in describe_session(comparison, tables["colour_baseline"], None, str)


def test_a_session_lists_its_models_with_links_and_whether_they_beat_colour():
    text = describe_session(**make_comparison(), link={"vgg16": "#/there"}.get)
    assert "| ResNet50 | 0.800 (0.700 to 0.880) | 0.790 | 0.940 | not shown |" in text
    assert "| [VGG16](#/there) | 0.900 (0.850 to 0.950) | 0.890 | 0.970 | better |" in text
    assert "| stain colour alone | 0.500 (0.400 to 0.600) | | | |" in text
    assert "Leukoscope drew all 640 images" in text


def test_a_model_says_what_it_is_worth_and_of_what_images():
    row = make_comparison()["comparison"].iloc[1].to_dict()
    assert describe_model(row).startswith(
        "**VGG16**: test accuracy 0.900 (0.850 to 0.950), macro F1 0.890, AUC 0.970, on 96 test images."
    )
    assert "Leukoscope drew all 640 images" in describe_model(row)
    unknown = row | {"test_accuracy_low": None, "test_auc": None, "drawn_images": 0}
    assert describe_model(unknown) == "**VGG16**: test accuracy 0.900, macro F1 0.890, AUC -, on 96 test images."

import pandas as pd
import pytest

from figure_parts import list_legend, list_words
from leukoscope.evaluation.calibration import apply_temperature
from leukoscope.evaluation.predictions import probability_columns
from leukoscope.pipelines.evaluation.results import draw_result as draw_files
from leukoscope.reporting import results
from leukoscope.reporting.pictures import draw_result

JUDGED = ("confusion_matrix", "roc_curves", "calibration")
CHANGES = pd.DataFrame({"perturbation": ["none", "grey"], "level": [0, 1.0], "accuracy": [0.9, 0.5], "images": 12})
EPOCH = {"epoch": 1, "train_loss": 1.0, "train_accuracy": 0.5, "validation_loss": 1.0, "validation_accuracy": 0.4}


@pytest.fixture
def result(predictions, class_names) -> dict:
    columns = probability_columns(class_names)
    calibrated = apply_temperature(predictions[columns].to_numpy(), 2.0)
    opinions = predictions.assign(**dict(zip(columns, calibrated.T, strict=True)))
    facts = {"title": "ResNet50", "split": "test", "class_names": class_names, "benign_class": "Benign"}
    facts |= {"calibration": {"temperature": 2.0, "threshold": 0.5}, "history": [EPOCH]}
    facts |= {"robustness": CHANGES.assign(low=0.4, high=0.95).to_dict("records")}
    return facts | results.trace_curves(predictions, opinions, "test", class_names)


def test_files_have_the_figures_of_the_page_under_titles_of_their_own(result):
    page, files = draw_result(result), draw_files(result)
    assert list(page) == list(files) == [*JUDGED, "learning_curves", "robustness"]
    assert {figure.get_suptitle() for figure in page.values()} == {""}
    titles = [figure.get_suptitle() for figure in files.values()]
    assert titles == ["ResNet50, 24 test images"] * len(JUDGED) + ["ResNet50", "ResNet50 on 12 changed test images"]
    for name, figure in page.items():
        assert [axes.get_xlabel() for axes in figure.axes] == [axes.get_xlabel() for axes in files[name].axes]


def test_figures_are_of_the_judged_images(result, class_names):
    drawn = draw_result(result)
    counts = [int(words.split()[0]) for words in list_words(drawn["confusion_matrix"].axes[0].texts)]
    assert counts == [count for row in result["confusion"] for count in row]
    assert sum(counts) == 24
    legend = list_legend(drawn["roc_curves"].legends[0])
    assert [words.split(" ")[0] for words in legend] == class_names
    assert "calibrated, temperature 2.00" in list_legend(drawn["calibration"].axes[0].get_legend())
    assert drawn["calibration"].axes[1].lines[1].get_label() == "opinions at 0.50 or surer"


def test_of_two_classes_the_malignant_one_has_a_curve(result):
    names = ["Benign", "Pro"]
    two = {"class_names": names, "confusion": [[1, 0], [0, 1]], "roc": {name: result["roc"][name] for name in names}}
    (label,) = list_legend(draw_result(result | two)["roc_curves"].legends[0])
    assert label.startswith("Pro (")


def test_what_a_result_lacks_is_not_drawn(result):
    external = result | {"split": "external", "history": [], "robustness": []}
    drawn = draw_result(external, "ResNet50")
    assert list(drawn) == list(JUDGED)
    assert drawn["calibration"].get_suptitle() == "ResNet50, 24 external images"

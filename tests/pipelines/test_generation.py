import numpy as np
import pytest

from leukoscope.core.errors import InputError
from leukoscope.core.fingerprint import fingerprint_table
from leukoscope.generation import judging
from leukoscope.generation.options import GenerationOptions, JudgeOptions
from leukoscope.images.generated import GeneratedImages
from leukoscope.pipelines.generation import nodes
from leukoscope.pipelines.splitting.options import SplittingOptions


@pytest.fixture
def generated(splits, class_names) -> GeneratedImages:
    classes = np.repeat(np.arange(4), 5)
    pixels = np.broadcast_to((20 * classes + 20)[:, None, None, None], (20, 64, 64, 3)).astype(np.uint8)
    return GeneratedImages(pixels, classes, tuple(class_names), fingerprint_table(splits), {})


def test_a_set_is_held_against_training_and_validation_images(generated, smears, splits, monkeypatch):
    monkeypatch.setattr(judging, "build_judge", lambda *facts: None)
    monkeypatch.setattr(
        judging, "describe", lambda judge, pixels, classes: judging.Sample(pixels, classes, pixels[:, 0, :8, 0] / 255.0)
    )
    seen = {}
    judge_set = judging.judge_set

    def watch(generated, drawn, training, validation, *facts):
        seen.update(training=len(training.pixels), validation=len(validation.pixels))
        return judge_set(generated, drawn, training, validation, *facts)

    monkeypatch.setattr(judging, "judge_set", watch)
    figures = nodes.judge_generated(generated, smears, splits, GenerationOptions(), 1)
    assert seen == {"training": 112, "validation": 24}
    assert figures["splits"] == generated.splits
    assert figures["images"] == 20


def test_a_set_of_other_splits_is_not_judged(generated, smears, splits):
    others = splits.replace({"split": {"test": "train"}})
    with pytest.raises(InputError, match="learned from other splits"):
        nodes.judge_generated(generated, smears, others, GenerationOptions(), 1)


def test_a_judge_that_cannot_be_had_is_told_before_the_training(smears, splits, class_names):
    options = GenerationOptions(judge=JudgeOptions(weights="nowhere.h5"))
    with pytest.raises(InputError, match=r"There is no weights file 'nowhere\.h5'"):
        nodes.prepare_generation(options, class_names, smears, splits, SplittingOptions(), 1)


def test_the_montage_has_real_and_generated_images_of_each_class(generated, smears, splits, class_names):
    figure = nodes.draw_generated(generated, smears, splits)
    pictures = [axes.get_images()[0].get_array() for axes in figure.axes]
    assert len(pictures) == 8 * 8
    titles = [axes.get_ylabel() for axes in figure.axes[::8]]
    assert titles == [f"{name}, {kind}" for name in class_names for kind in ("real", "generated")]
    assert [picture[0, 0, 0] for picture in pictures[8:16]] == [20] * 5 + [255] * 3

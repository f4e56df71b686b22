import logging
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from leukoscope.core.errors import InputError
from leukoscope.evaluation import feature_table
from leukoscope.evaluation.compatibility import RESULT_FORMAT, RESULT_PARTS
from leukoscope.evaluation.trust import Calibration
from leukoscope.images.decoding import Limits
from leukoscope.images.field_checks import check_fields
from leukoscope.images.layout import ClassFolders
from leukoscope.images.manifest import make_manifest
from leukoscope.images.packed import PackedImages
from leukoscope.images.packing import save_packed
from leukoscope.images.packing_plan import PackingPlan
from leukoscope.images.source import open_source
from leukoscope.pipelines.evaluation.options import EvaluationOptions
from leukoscope.pipelines.external import nodes, taking_in
from leukoscope.pipelines.external.options import ExternalOptions
from leukoscope.pipelines.ingestion.options import IngestionOptions
from leukoscope.synthetic import draw_smear, write_smears
from named_columns import list_unnamed

EVALUATION = EvaluationOptions(resamples=30, worst_errors=2)
INGESTION = IngestionOptions(image_size=64, near_duplicate_distance=10)
AS_FOLDERS = ClassFolders().describe(None)._asdict()


def pack(root, store, folders) -> tuple[PackedImages, pd.DataFrame]:
    save_packed(PackingPlan(open_source(root), tuple(folders), 64, Limits(16, 10**6, 10**6)), store)
    smears = PackedImages(store)
    return smears, make_manifest(smears.records, smears.pixels, 10)


@pytest.fixture(scope="module")
def own(tmp_path_factory, class_names):
    root = tmp_path_factory.mktemp("own")
    write_smears(root / "raw", dict.fromkeys(class_names, 3), 64, seed=1)
    return root / "raw", *pack(root / "raw", root / "store", class_names)


@pytest.fixture
def ask(tmp_path, own, class_names):
    """Take in six smears of two classes, of which some may be the classifiers' own."""

    def ask(copies: int = 0, quality: int | None = None, **more: str):
        folders = {"hem": "Benign", "all": "malignant"} | more
        mapping = taking_in.map_classes(ExternalOptions(class_map=folders), AS_FOLDERS, class_names, EVALUATION)
        for folder, name in (("hem", "Benign"), ("all", "Pro")):
            (tmp_path / "raw" / folder).mkdir(parents=True)
            files = sorted((own[0] / "Original" / name).glob("*"))
            for number in range(3):
                target = tmp_path / "raw" / folder / f"{number}.jpg"
                if number < copies:
                    target.write_bytes(files[number].read_bytes())
                    if quality:
                        Image.open(target).save(target, quality=quality)
                else:
                    rng = np.random.default_rng([9, number, len(folder), ord(folder[0])])
                    Image.fromarray(draw_smear(name, rng, 64)).save(target)
        plan = taking_in.decode_external(open_source(tmp_path / "raw"), mapping, AS_FOLDERS, INGESTION)
        save_packed(plan, tmp_path / "store")
        smears = PackedImages(tmp_path / "store")
        return smears, taking_in.build_external_manifest(smears, mapping, AS_FOLDERS, *own[1:], INGESTION), mapping

    return ask


class Predictor:
    """Says Benign and Pro in turn; of neither is it surer than of all others together."""

    def __init__(self, classifier, batch_size: int) -> None:
        pass

    def predict(self, pixels, rows):
        turns = np.arange(len(rows)) % 2
        return np.array([[0.45, 0.2, 0.2, 0.15], [0.1, 0.2, 0.3, 0.4]])[turns], np.eye(2)[turns]


@pytest.fixture
def gathered(class_names, monkeypatch):
    """MobileNetV2 has been trained and evaluated, and nothing else."""
    monkeypatch.setattr("leukoscope.reader.calibrated.Predictor", Predictor)
    facts = pd.DataFrame(
        {"image_id": range(40), "split": "train", "model": "the same", "label": ["Benign", "Pro"] * 20}
    )
    smears = [draw_smear(label, np.random.default_rng(n), 64) for n, label in enumerate(facts["label"])]
    features = feature_table.tabulate(facts, np.tile([1.0, 0.0], (40, 1)), check_fields(np.stack(smears)))
    calibration = Calibration(1.0, 0.42, 3.0, [[0.1]] * 4, operating_point=0.6, model="the same").describe()
    training = {"splits": "a", "weights": "none", "epochs": 3, "input_size": 48, "device": "CPU"}
    training |= {"report_test_accuracy": 0.95}
    result = {name: {} for name in RESULT_PARTS} | {
        "format": RESULT_FORMAT,
        "model": "mobilenet_v2",
        "title": "MobileNetV2",
        "calibration": calibration,
        "training": training,
    }
    result |= {
        "summary": {"drawn_images": 90, "accepted_images": 90},
        "outliers": [{"kind": "no_cells", "images": 9, "unlike": 0.1, "auc": 0.5}],
    }

    models = {"mobilenet_v2": lambda: SimpleNamespace(class_names=tuple(class_names), fingerprint="the same")}
    return models, {"mobilenet_v2": lambda: calibration}, {"mobilenet_v2": features}, [result]


def predict(asked, gathered, class_names):
    models, calibrations, features, _ = gathered
    return nodes.predict_external(*asked, models, calibrations, class_names, EVALUATION, features)


def test_two_classes_are_told_apart_by_the_likeliest_of_all(ask, gathered, class_names):
    predictions, opinions = predict(ask(), gathered, class_names)
    assert predictions["label"].tolist() == ["malignant"] * 3 + ["Benign"] * 3
    # The likeliest class is benign, though the malignant ones together are likelier: so it is on the test images.
    assert predictions["predicted"].tolist() == ["Benign", "malignant"] * 3
    assert predictions["probability_malignant"].tolist() == pytest.approx([0.55, 0.9] * 3)
    assert opinions["probability_malignant"].tolist() == pytest.approx([0.55, 0.9] * 3)
    assert opinions["reason"].tolist() == ["", "unlike the training images: unfamiliar features"] * 3
    assert opinions["opinion"].tolist() == ["Benign", "abstained"] * 3


def test_a_field_without_cells_gets_no_opinion(ask, gathered, class_names):
    smears, manifest, mapping = ask()
    empty = np.full((64, 64, 3), 240, np.uint8)
    pixels = np.stack([smears.pixels[row] if row else empty for row in range(len(smears.pixels))])
    emptied = SimpleNamespace(pixels=pixels, rows=smears.rows)
    opinions = predict((emptied, manifest, mapping), gathered, class_names)[1].set_index("image_id")
    name = manifest["image_id"].iloc[int(np.flatnonzero(smears.rows(manifest["image_id"]) == 0)[0])]
    assert opinions.loc[name, "reason"] == "unlike the training images: hardly any stain"


def test_an_evaluation_by_an_earlier_version_is_refused(ask, gathered, class_names):
    models, calibrations, features, results = gathered
    old = {name: table.drop(columns="check_log_cells") for name, table in features.items()}
    with pytest.raises(InputError, match="earlier version, which kept no check_log_cells"):
        predict(ask(), (models, calibrations, old, results), class_names)


def test_an_opinion_must_be_as_sure_as_on_the_test_images(ask, gathered, class_names):
    models, calibrations, features, results = gathered
    calibration = (
        Calibration.restore(calibrations["mobilenet_v2"]())._replace(threshold=0.5, ood_limit=999.0).describe()
    )
    said = predict(ask(), (models, {"mobilenet_v2": lambda: calibration}, features, results), class_names)[1]
    assert said["reason"].tolist() == ["not sure enough"] * 6  # 0.45 and 0.4, not 0.9


def test_the_same_figures_and_the_same_page_as_of_the_test_set(ask, gathered, class_names):
    smears, manifest, mapping = ask()
    predictions, opinions = predict((smears, manifest, mapping), gathered, class_names)
    metrics = nodes.score_external(predictions, opinions, manifest, mapping, AS_FOLDERS, EVALUATION, 1, gathered[3])
    assert list_unnamed("external_predictions", predictions) == []
    assert list_unnamed("external_opinions", opinions) == []
    assert list_unnamed("external_metrics", metrics) == []
    assert list_unnamed("external_manifest", manifest) == []
    row = metrics.set_index("model").loc["mobilenet_v2"]
    assert row["external_accuracy"] == pytest.approx(2 / 6)
    assert row["external_screening_sensitivity"] == pytest.approx(1 / 3)
    assert row["external_unlike"] == 0.5
    assert row["external_groups"] == 6
    assert row["external_selective_error"] == pytest.approx(2 / 3)
    assert row["external_images"] == 6
    assert row["external_accuracy_low"] < 2 / 6 < row["external_accuracy_high"]
    stated = ExternalOptions(data_sheet={"name": "Another hospital"})
    about = taking_in.describe_layout(manifest, AS_FOLDERS, smears)
    context = nodes.describe_external(
        manifest, mapping, about, stated, {"leukoscope": "0"}, 1, [], ["mobilenet_v2/report.html"]
    )
    written = nodes.write_external_reports(
        predictions,
        opinions,
        metrics,
        smears,
        mapping,
        EVALUATION,
        context,
        gathered[3],
    )
    assert list(written) == ["mobilenet_v2/external"]
    page = written["mobilenet_v2/external"]
    assert "report test accuracy" not in page.lower()
    assert "Drawn data: Leukoscope drew" not in page  # they were saved without the mark
    assert "Trained on drawn data: Leukoscope drew all 90 images of the data that the classifier learned from" in page
    for words in ("MobileNetV2 on external images", "Another hospital", "malignant", "have not been audited"):
        assert words in page
    assert '<a href="report.html">Test images</a>' in page
    assert "stain colour alone was not evaluated on these images" in re.sub(r"<[^>]+>", "", page)
    assert "kedro run --pipelines audit" not in page  # which would audit other images
    assert "The audit covers the training and test images" in page
    assert "With fewer than 10, bootstrap intervals are rough" in page


def test_all_classes_are_called_as_they_are_named(ask, gathered, class_names):
    asked = ask()
    folders = ExternalOptions(class_map={"hem": "Benign", "all": "Pro"})
    mapping = taking_in.map_classes(folders, AS_FOLDERS, class_names, EVALUATION)
    manifest = asked[1].assign(label=asked[1]["label"].replace("malignant", "Pro"))
    predictions, opinions = predict((asked[0], manifest, mapping), gathered, class_names)
    assert predictions["predicted"].tolist() == ["Benign", "Pro"] * 3
    row = nodes.score_external(predictions, opinions, manifest, mapping, AS_FOLDERS, EVALUATION, 1, gathered[3]).iloc[0]
    assert row["external_set_size"] >= 0
    assert row["external_sensitivity_pro"] == pytest.approx(1 / 3)
    assert pd.isna(row[["external_macro_f1", "external_balanced_accuracy", "external_sensitivity_early"]]).all()
    assert row["external_accuracy_low"] < row["external_accuracy_high"]


def test_a_folder_or_class_that_is_not_there_is_told_and_no_fault(tmp_path, ask, class_names, caplog):
    _, manifest, mapping = ask(**{"other": "malignant"})
    assert "other" in mapping["by_folder"]
    assert (manifest["status"] == "accepted").sum() == 6
    (tmp_path / "one/hem").mkdir(parents=True)
    (tmp_path / "one/hem/0.jpg").write_bytes((tmp_path / "raw/hem/0.jpg").read_bytes())
    save_packed(
        taking_in.decode_external(open_source(tmp_path / "one"), mapping, AS_FOLDERS, INGESTION),
        tmp_path / "store_of_one",
    )
    store = PackedImages(tmp_path / "store_of_one")
    taking_in.build_external_manifest(store, mapping, AS_FOLDERS, store, manifest.iloc[:0], INGESTION)
    assert "There are no external images of malignant: figures that need them are undefined" in caplog.text


def test_folders_of_which_none_is_there_are_told(tmp_path, ask, class_names):
    ask()
    mapping = taking_in.map_classes(
        ExternalOptions(class_map={"healthy": "Benign"}), AS_FOLDERS, class_names, EVALUATION
    )
    with pytest.raises(InputError, match="has none of the folders healthy"):
        taking_in.decode_external(open_source(tmp_path / "raw"), mapping, AS_FOLDERS, INGESTION)


def test_images_of_the_classifiers_own_data_are_left_out(ask, caplog):
    with caplog.at_level(logging.WARNING, "leukoscope"):
        _, manifest, _ = ask(copies=2)
    left_out = manifest[manifest["status"] == "quarantined"]
    assert left_out["image_id"].tolist() == ["all/0", "all/1", "hem/0", "hem/1"]
    assert left_out["reason"].iloc[0] == "among the images of training and testing: Pro/smear-pro-0001"
    assert "4 external images are among those that the classifiers were made of" in caplog.text


def test_recompressed_images_of_the_classifiers_own_data_are_left_out_too(ask):
    _, manifest, _ = ask(copies=1, quality=93)
    left_out = manifest[manifest["status"] == "quarantined"].set_index("image_id")["reason"].to_dict()
    assert left_out == {
        "all/0": "among the images of training and testing: Pro/smear-pro-0001",
        "hem/0": "among the images of training and testing: Benign/smear-benign-0001",
    }


def test_nothing_new_is_an_error(ask):
    with pytest.raises(InputError, match=r"new, of 6: 0 quarantined for what they are, 6 among those of ingestion"):
        ask(copies=3)


def test_without_an_evaluated_model_it_says_what_to_do(ask, class_names):
    with pytest.raises(InputError, match="Train one first"):
        nodes.predict_external(*ask(), {}, {}, class_names, EVALUATION, {})


def test_a_model_of_other_classes_is_refused(ask, gathered):
    with pytest.raises(InputError, match="mobilenet_v2 knows the classes Benign, Early, Pre, Pro, and the parameters"):
        predict(ask(), gathered, ["Benign", "Pro"])


def test_a_model_that_was_trained_again_is_refused(ask, gathered, class_names):
    other = SimpleNamespace(class_names=tuple(class_names), fingerprint="another")
    with pytest.raises(InputError, match="mobilenet_v2 was trained again after it had been evaluated"):
        predict(ask(), ({"mobilenet_v2": lambda: other}, *gathered[1:]), class_names)

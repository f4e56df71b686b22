import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from leukoscope.core.errors import InputError
from leukoscope.core.fingerprint import fingerprint_facts
from leukoscope.evaluation.out_of_distribution import OutOfDistribution
from leukoscope.evaluation.trust import ABSTAINED, UNLIKE, UNSURE, form_opinions
from leukoscope.images.decoding import UnusableImageError
from leukoscope.reader.scale import Scale
from leukoscope.reader.second_reader import SecondReader
from tiny_reader import BRIGHTNESS, CLASS_NAMES, SIZE, encode, make_reader, shade, vary


@pytest.fixture(scope="module")
def reader() -> SecondReader:
    return make_reader()


def test_a_reader_gives_the_likeliest_class_or_abstains_with_the_reason(reader):
    opinions = reader.read(np.stack([shade(one) for one in (*BRIGHTNESS, 130, 255)])).opinions
    assert opinions["opinion"].tolist() == [*CLASS_NAMES, ABSTAINED, "Benign"]
    assert opinions["reason"].tolist() == ["", "", "", "", UNSURE, ""]


def test_a_field_unlike_the_training_images_gets_no_opinion():
    strict = make_reader(ood_limit=2.0)
    cells = shade(160).copy()
    cells[4:12, 4:12] = (60, 60, 160)
    opinions = strict.read(np.stack([shade(160), shade(255), cells])).opinions
    because = [f"{UNLIKE}: unfamiliar features", f"{UNLIKE}: other colours"]
    assert opinions["reason"].tolist() == ["", *because]
    assert opinions["opinion"].tolist() == ["Early", ABSTAINED, ABSTAINED]


def test_a_reader_of_an_earlier_version_refuses_to_read(reader, tmp_path):
    kept = [name for name in reader.seen if not name.startswith("check_") and name != "label"]
    replace(reader, seen=reader.seen[kept]).save(tmp_path)
    old = SecondReader.load(tmp_path)  # so that a new one can still be held against it
    with pytest.raises(InputError, match=r"earlier version, which kept no label, check_log_cells.*evaluation` again"):
        old.read(shade(160)[None])


def test_malignant_is_whatever_is_not_benign(reader):
    opinions = reader.read(np.stack([shade(190), shade(100)])).opinions
    others = opinions[["probability_early", "probability_pre", "probability_pro"]].sum(axis=1)
    assert opinions["probability_malignant"].to_numpy() == pytest.approx(others.to_numpy())
    assert opinions.filter(like="probability_").drop(columns="probability_malignant").sum(axis=1).to_numpy() == (
        pytest.approx([1, 1])
    )


def test_probabilities_are_calibrated():
    sharp, soft = (make_reader(temperature=one).read(shade(170)[None]).opinions.iloc[0] for one in (1.0, 4.0))
    assert soft["probability_early"] < sharp["probability_early"]


def test_two_classes_of_which_one_is_called_malignant():
    reader = make_reader(("Benign", "Malignant", "Other", "Last"))
    opinions = reader.read(shade(160)[None]).opinions
    assert opinions.columns.tolist().count("probability_malignant") == 1


def test_one_image_and_many_are_read_alike(reader):
    images = np.stack([shade(one) for one in np.arange(30, 230)])
    many, one = reader.read(images), reader.read(images[120:121])
    alone, among = (table.select_dtypes("number").iloc[row] for table, row in ((one.opinions, 0), (many.opinions, 120)))
    assert alone.to_numpy() == pytest.approx(among.to_numpy(), abs=1e-5)
    assert one.opinions.loc[0, "prediction_set"] == many.opinions.loc[120, "prediction_set"]
    assert one.features == pytest.approx(many.features[120:121], abs=1e-6)


def test_the_nearest_training_images_are_those_most_alike(reader):
    features = reader.read(shade(101)[None]).features
    nearest = reader.find_nearest(features, 3)[0]
    assert len(nearest) == 3
    assert nearest["image_id"].iloc[0] == "Shade/104"  # 100 is a validation image
    assert nearest["distance"].is_monotonic_increasing
    assert not set(nearest["image_id"]) & set(reader.seen.query("split == 'validation'")["image_id"])


def test_a_file_becomes_what_is_read(reader):
    assert reader.decode(encode(shade(77, 90))).pixels.shape == (SIZE, SIZE, 3)
    with pytest.raises(UnusableImageError, match="not an image"):
        reader.decode(b"text")


def test_a_reader_comes_back_from_its_folder(reader, tmp_path):
    reader.save(tmp_path)
    loaded = SecondReader.load(tmp_path)
    assert loaded.fingerprint == reader.fingerprint
    images = np.stack([shade(one) for one in (50, 130, 200)])
    pd.testing.assert_frame_equal(loaded.read(images).opinions, reader.read(images).opinions)
    assert {path.name for path in tmp_path.iterdir()} == {"model.keras", "reader.json", "seen.parquet"}


def test_a_reader_keeps_the_scale_of_its_training_images(reader, tmp_path):
    sized = reader.at_scale(Scale(5.5, 0.1, 0.1))
    sized.save(tmp_path)
    assert SecondReader.load(tmp_path).scale == Scale(5.5, 0.1, 0.1)
    assert sized.fingerprint == reader.fingerprint
    facts = json.loads((tmp_path / "reader.json").read_text())
    (tmp_path / "reader.json").write_text(
        json.dumps(facts | {"scale": {"cells_across": -1, "coarse_grain": 0.1, "fine_grain": 0.1}})
    )
    with pytest.raises(InputError, match="cells_across is -1, not a positive number"):
        SecondReader.load(tmp_path)


def test_everything_that_opinions_depend_on_is_in_the_fingerprint(reader):
    others = [make_reader(temperature=1.1), make_reader(ood_limit=2.0), make_reader(("Benign", "Pre", "Early", "Pro"))]
    assert len({one.fingerprint for one in (reader, *others)}) == 4
    assert make_reader().fingerprint == reader.fingerprint


@pytest.mark.parametrize("missing", ["reader.json", "seen.parquet", "model.keras"])
def test_an_incomplete_folder_is_an_error(reader, tmp_path, missing):
    reader.save(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(InputError, match=rf"is damaged \(it lacks {missing}\)"):
        SecondReader.load(tmp_path)


def test_names_that_do_not_fit_the_model_are_an_error(reader, tmp_path):
    reader.save(tmp_path)
    facts = json.loads((tmp_path / "reader.json").read_text())
    (tmp_path / "reader.json").write_text(json.dumps(facts | {"class_names": ["Benign", "Pro"]}))
    with pytest.raises(InputError, match="knows the classes Benign, Early, Pre, Pro, and"):
        SecondReader.load(tmp_path)


@pytest.mark.parametrize(
    ("fact", "value", "message"),
    [
        ("benign_class", "Healthy", "'Healthy' is none of"),
        ("calibration", {"temperature": 0.9}, "calibration is not as it was learned"),
        ("calibration", {"threshold": 0.1}, "calibration is not as it was learned"),
        ("limits", {"max_pixels": 10**12}, "parts are of different readers"),
    ],
)
def test_what_was_changed_by_hand_is_refused(reader, tmp_path, fact, value, message):
    reader.save(tmp_path)
    facts = json.loads((tmp_path / "reader.json").read_text())
    changed = facts[fact] | value if isinstance(value, dict) else value
    (tmp_path / "reader.json").write_text(json.dumps(facts | {fact: changed}))
    with pytest.raises(InputError, match=message):
        SecondReader.load(tmp_path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"temperature": 0.0}, "temperature, threshold and limit"),
        ({"temperature": "warm"}, "temperature, threshold and limit"),
        ({"ood_limit": float("nan")}, "temperature, threshold and limit"),
        ({"threshold": 0.1}, "parts are of different readers"),
        ({"model": "another"}, "its calibration is of another model"),
    ],
)
def test_a_calibration_that_was_sealed_anew_is_refused_too(reader, tmp_path, changed, message):
    reader.save(tmp_path)
    facts = json.loads((tmp_path / "reader.json").read_text())
    calibration = reader.calibration._replace(**changed).describe()
    (tmp_path / "reader.json").write_text(json.dumps(facts | {"calibration": calibration}))
    with pytest.raises(InputError, match=message):
        SecondReader.load(tmp_path)


def test_images_of_another_size_are_refused(reader):
    reader.require_size(SIZE)
    with pytest.raises(InputError, match=r"64 pixels a side, .* trained on 32"):
        reader.require_size(64)


def test_probabilities_that_are_no_numbers_get_no_opinion(reader):
    nothing, usual = np.full((1, 4), np.nan), OutOfDistribution(np.zeros(1), np.array([""]))
    assert form_opinions(nothing, usual, reader.calibration, CLASS_NAMES)["reason"].tolist() == [UNSURE]


def test_several_benign_classes_are_all_left_out_of_what_is_malignant(reader, tmp_path):
    both = replace(reader, benign_classes=("Benign", "Early"))
    opinions = both.read(vary(shade(100))[None]).opinions.iloc[0]
    assert opinions["probability_malignant"] == pytest.approx(opinions["probability_pre"] + opinions["probability_pro"])
    assert both.benign_class == "Benign and Early"
    assert both.fingerprint != reader.fingerprint
    both.save(tmp_path)
    assert SecondReader.load(tmp_path).benign_classes == ("Benign", "Early")


def test_a_single_benign_class_is_kept_as_earlier_versions_had_it(reader, tmp_path):
    reader.save(tmp_path)
    assert json.loads((tmp_path / "reader.json").read_text())["benign_class"] == "Benign"
    assert SecondReader.load(tmp_path).fingerprint == reader.fingerprint


def test_a_reader_of_an_earlier_version_is_read(reader, tmp_path, caplog):
    reader.save(tmp_path)
    facts = json.loads((tmp_path / "reader.json").read_text())
    calibration = reader.calibration._asdict()
    calibration["novelty"] = calibration.pop("ood_limit")
    old = {name: value for name, value in facts.items() if name != "model"} | {"backbone": facts["model"]}
    sealed = calibration | {"seal": fingerprint_facts(calibration)}
    (tmp_path / "reader.json").write_text(json.dumps(old | {"calibration": sealed}))
    loaded = SecondReader.load(tmp_path)
    assert (loaded.model, loaded.fingerprint, loaded.calibration) == (
        reader.model,
        reader.fingerprint,
        reader.calibration,
    )
    [warning] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "backbone is read as model, novelty is read as ood_limit" in warning

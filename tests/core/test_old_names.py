"""What an earlier version wrote is read under the names of today, with one warning each."""

import pandas as pd
import pytest

from leukoscope.core.fingerprint import fingerprint_facts
from leukoscope.core.old_names import read_tag, rename_columns, rename_entries, rename_parameters
from leukoscope.datasets import CSVDataset, JSONDataset, OpinionsDataset, ParquetDataset

OPINIONS = pd.DataFrame(
    {"opinion": ["Pro", "withheld"], "novelty": [0.5, 2.0], "backbone": "vgg16", "model": "1a2b", "data": "3c4d"}
)
NOW = pd.DataFrame(
    {"opinion": ["Pro", "abstained"], "ood_score": [0.5, 2.0], "model": "vgg16", "model_fingerprint": "1a2b"}
).assign(data="3c4d")


def warnings_of(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


@pytest.mark.parametrize(
    ("parameters", "given", "value"),
    [
        ({"backbone": "vgg16", "model": None}, {}, "vgg16"),
        ({"backbone": None, "model": "vgg16"}, {}, "vgg16"),
        ({"backbone": "vgg16", "model": None}, {"backbone": "vgg16"}, "vgg16"),
        ({"backbone": "vgg16", "model": "resnet50"}, {"model": "resnet50"}, "resnet50"),
        ({"backbone": "vgg16", "model": "resnet50"}, {"model": "resnet50", "backbone": "vgg16"}, "resnet50"),
    ],
)
def test_a_parameter_by_its_old_name_sets_the_new_one(parameters, given, value, caplog):
    command_line = {"reader": dict(given)}
    renamed = rename_parameters({"reader": parameters | {"model_uri": None}, "seed": 3}, command_line)
    assert renamed == {"reader": {"model": value, "model_uri": None}, "seed": 3}
    assert command_line == {"reader": {"model": value} if given else {}}
    [warning] = warnings_of(caplog)
    assert "reader.backbone is called reader.model now" in warning


def test_a_value_by_its_old_name_is_the_new_one(caplog):
    given = {"splitting": {"group_by": "look"}}
    assert rename_parameters({"splitting": {"group_by": "look"}}, given) == {"splitting": {"group_by": "appearance"}}
    assert given == {"splitting": {"group_by": "appearance"}}
    [warning] = warnings_of(caplog)
    assert "splitting.group_by=look is called splitting.group_by=appearance now" in warning


def test_parameters_by_their_new_names_are_left_alone(caplog):
    parameters = {"reader": {"model": "vgg16"}, "models": {}, "splitting": []}
    assert rename_parameters(parameters, {"reader": 3}) == parameters
    assert warnings_of(caplog) == []


def test_the_opinions_of_a_reader_are_read(tmp_path, caplog):
    OPINIONS.to_parquet(tmp_path / "opinions.parquet")
    loaded = OpinionsDataset(filepath=str(tmp_path / "opinions.parquet")).load()
    pd.testing.assert_frame_equal(loaded, NOW)
    [warning] = warnings_of(caplog)
    assert "opinions.parquet: backbone is read as model, novelty is read as ood_score" in warning
    assert "withheld is read as abstained" in warning


def test_a_table_that_needs_columns_is_read(tmp_path, caplog):
    OPINIONS.to_parquet(tmp_path / "table.parquet")
    dataset = ParquetDataset(filepath=str(tmp_path / "table.parquet"), requires=["model", "opinion", "ood_score"])
    pd.testing.assert_frame_equal(dataset.load(), NOW)
    assert len(warnings_of(caplog)) == 1


def test_a_comparison_is_read(tmp_path, caplog):
    pd.DataFrame({"backbone": ["vgg16"], "title": ["VGG16"]}).to_csv(tmp_path / "comparison.csv", index=False)
    dataset = CSVDataset(filepath=str(tmp_path / "comparison.csv"), requires=["model", "title"])
    assert dataset.load().to_dict("records") == [{"model": "vgg16", "title": "VGG16"}]
    assert len(warnings_of(caplog)) == 1


def test_the_table_of_an_audit_is_read(tmp_path, caplog):
    pd.DataFrame({"protocol": ["image", "look"]}).to_csv(tmp_path / "audit.csv", index=False)
    assert CSVDataset(filepath=str(tmp_path / "audit.csv")).load()["protocol"].tolist() == ["image", "appearance"]
    assert len(warnings_of(caplog)) == 1


def test_what_a_split_was_grouped_by_is_read(caplog):
    assert rename_entries({"looks": 60, "group_by": "look"}, "facts.json") == {
        "appearance_clusters": 60,
        "group_by": "appearance",
    }
    assert len(warnings_of(caplog)) == 1
    assert rename_entries({"looks": 3}, "judgement.json") == {"looks": 3}  # another count


def test_tables_of_fingerprints_alone_keep_their_column():
    table = pd.DataFrame({"image_id": ["a"], "model": ["1a2b"]})
    assert rename_columns(table, "features.parquet") is table


def seal(facts: dict) -> dict:
    return facts | {"seal": fingerprint_facts(facts)}


def test_a_result_is_read_with_all_that_is_in_it(tmp_path, caplog):
    kept = {
        "backbone": "vgg16",
        "strictest": {"backbone": "vgg16", "model": "1a2b"},
        "calibration": seal({"novelty": 0.5, "model": "1a2b"}),
        "outliers": [{"kind": "blurred"}],
    }
    JSONDataset(filepath=str(tmp_path / "result.json")).save(kept)
    assert JSONDataset(filepath=str(tmp_path / "result.json"), requires=["model"]).load() == {
        "model": "vgg16",
        "strictest": {"model": "vgg16", "model_fingerprint": "1a2b"},
        "calibration": seal({"ood_limit": 0.5, "model": "1a2b"}),
        "outliers": [{"kind": "blurred"}],
    }
    assert len(warnings_of(caplog)) == 1


def test_what_was_edited_after_it_was_sealed_stays_as_it_is(caplog):
    edited = seal({"novelty": 0.5}) | {"novelty": 99.0}
    assert rename_entries(edited, "calibration.json") == edited
    assert warnings_of(caplog) == []


def test_a_tag_is_read():
    assert [read_tag(tags, "model") for tags in ({"model": "a"}, {"backbone": "b"}, {})] == ["a", "b", None]

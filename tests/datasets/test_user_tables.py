import os

import pandas as pd
import pytest
from kedro.io import DatasetError

from leukoscope.core.errors import InputError
from leukoscope.datasets import GroupTableDataset, LabelTableDataset


def load(path, default=None):
    return GroupTableDataset(filepath=path, default=default and {"filepath": default}).load()


def test_a_table_is_read(tmp_path):
    path = tmp_path / "groups.csv"
    path.write_text("pattern;group\nBenign/*;001\n")
    assert load(str(path)).to_dict("list") == {"pattern": ["Benign/*"], "group": ["001"]}


def test_only_the_table_of_the_configuration_may_be_missing(tmp_path):
    path = str(tmp_path / "groups.csv")
    assert load(path, default=path) is None
    for default in (None, str(tmp_path / "other.csv")):
        with pytest.raises(InputError, match=r"no table of groups at .*groups\.csv"):
            load(path, default)


def test_a_table_of_labels_is_read_alike(tmp_path):
    path = tmp_path / "labels.csv"
    with pytest.raises(InputError, match=r"no table of labels at .*labels\.csv.*label_table=PATH"):
        LabelTableDataset(filepath=str(path)).load()
    path.write_text("sha256;label;votes\nab;Pro;3\n")
    assert LabelTableDataset(filepath=str(path)).load().to_dict("list") == {"sha256": ["ab"], "label": ["Pro"]}


def test_a_path_that_was_cut_is_pointed_out(tmp_path):
    (tmp_path / "groups, new.csv").write_text("image_id,group\n")
    with pytest.raises(InputError, match=r"There is 'groups, new\.csv' beside it"):
        load(str(tmp_path / "groups"))


def test_what_is_no_file_is_refused_unread(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(InputError, match="is a folder"):
        load(str(tmp_path))
    with pytest.raises(InputError, match="is no regular file"):
        load(str(tmp_path / "pipe.csv"))


@pytest.mark.parametrize("value", [2024, True, None, ["a"], ""])
def test_a_path_that_is_no_text_is_refused(value):
    with pytest.raises(InputError, match=r"^group_table is .*Expected a path|^group_table is the .*not a path"):
        load(value)


def test_the_table_is_never_written(tmp_path):
    with pytest.raises(DatasetError, match="read only"):
        GroupTableDataset(filepath=str(tmp_path / "groups.csv")).save(pd.DataFrame())

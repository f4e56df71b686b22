import pytest
from kedro.io import DatasetError

from leukoscope.datasets import PagesDataset
from leukoscope.hooks.state import can_be_told, describe_content


def test_pages_that_are_there_are_listed_below_their_folder(tmp_path):
    (tmp_path / "vgg16").mkdir()
    (tmp_path / "search.html").mkdir()  # no page
    for name in ("study.html", "other.html", "vgg16/report.html"):
        (tmp_path / name).touch()
    pages = PagesDataset(path=str(tmp_path), names=["search.html", "study.html", "*/report.html"])
    assert pages.load() == ["study.html", "vgg16/report.html"]
    assert PagesDataset(path=str(tmp_path / "none"), names=["*.html"]).load() == []
    with pytest.raises(DatasetError, match="read only"):
        pages.save([])


def test_a_page_more_is_a_change_and_its_content_is_none(tmp_path):
    pages = PagesDataset(path=str(tmp_path), names=["study.html"])
    assert can_be_told(pages)
    before = describe_content(pages)
    (tmp_path / "study.html").write_text("one")
    after = describe_content(pages)
    (tmp_path / "study.html").write_text("two")
    assert before != after == describe_content(pages)

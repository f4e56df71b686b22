import io
import logging
import zipfile

import pandas as pd
import pytest

from leukoscope.core.errors import InputError
from leukoscope.images import user_tables
from leukoscope.images.user_tables import GROUPS, read_table

ROWS = [("Bénin/1", "001"), ("Bénin/2", "NA"), ("Pro/3", "Müller")]


def write(separator=",", header=("image_id", "group"), rows=ROWS):
    return "\n".join(separator.join(row) for row in [header, *rows]) + "\n"


def read(content):
    return read_table(content, "groups.csv", GROUPS)


def rows_of(table):
    return list(table.itertuples(index=False, name=None))


def refusal(content):
    with pytest.raises(InputError) as refused:
        read(content)
    return str(refused.value)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_what_spreadsheets_write_is_read_as_text(encoding, separator):
    table = read(write(separator).encode(encoding))
    assert list(table.columns) == ["image_id", "group"]
    assert rows_of(table) == ROWS


def test_a_guessed_encoding_is_logged(caplog):
    with caplog.at_level(logging.WARNING, "leukoscope"):
        read(write().encode())
        assert not caplog.messages
        read(write().encode("cp1252"))
    assert caplog.messages == ["The table of groups groups.csv is not in UTF-8, and read as Windows-1252"]


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\nimage_id;group\na/1;p,1\n",
        "Image_ID ; GROUP ;\r\na/1;p,1;\r\n\r\n;;\r\n",
        '"image_id","group"\n"a/1", "p,1"\n',
        'stain,image_id,group,note\nx,a/1,"p,1",\n',
        "image_id\tgroup\na/1\tp,1",
        "\n\nimage_id;group\na/1;p,1\n",
    ],
)
def test_variants_of_csv_are_read(text):
    assert rows_of(read(text.encode())) == [("a/1", "p,1")]


def test_line_breaks_in_quotes_stay():
    assert rows_of(read(b'image_id,group\n"a/1","p\n1"\n')) == [("a/1", "p\n1")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "groups.csv is empty."),
        (b"\xef\xbb\xbf \r\n", "groups.csv is empty."),
        (bytes(range(256)) * 4, "groups.csv is not text."),
        (b"image_id,group\na/1,p\x001\n", "groups.csv is not text."),
        (b"image_id,group\na/1,\x1b[31mp\n", "groups.csv is not text."),
        (b"\x89PNG\r\n\x1a\n" + bytes(99), "groups.csv is not text."),
        (b"image_id,group\na/1,\x81\n", "groups.csv is not text."),
        (b"\xff\xfea", "groups.csv is not text."),
        (b"\xd0\xcf\x11\xe0" + bytes(99), "groups.csv is a workbook of an old Excel, or protected."),
        (b"file,patient\na/1,p\n", "has the columns file, patient; it needs group, and image_id or pattern."),
        (b"image_id group\na/1 p\n", "has the columns image_id group; it needs group"),
        (b",,\n", "has the columns none; it needs group"),
        (b"image_id,pattern,group\na/1,a*,p\n", "Expected one column group, and one of image_id or pattern"),
        (b"image_id,group,group\na/1,p,q\n", "Expected one column group"),
        (b"image_id,group\na/1,p\na/2\n", "Line 3 of the table of groups groups.csv has 1 field. Expected 2"),
        (b"image_id,group\nBenign/a,b,p\n", "Line 2 of the table of groups groups.csv has 3 fields. Expected 2"),
        (b'image_id,group\na/1,"p\n', "of the table of groups groups.csv cannot be read: unexpected end of data"),
        (b"image_id,group\na/1," + b"p" * 200_000, "cannot be read: field larger than field limit"),
    ],
)
def test_what_is_no_table_is_refused_in_one_line(content, message):
    assert message in refusal(content)
    assert "\n" not in refusal(content)
    assert "Expected" in refusal(content)


def test_a_huge_file_is_no_table(monkeypatch):
    monkeypatch.setattr(user_tables, "_MOST_BYTES", 10)
    assert "has 11 bytes, more than 10" in refusal(b"a" * 11)


def test_a_workbook_without_openpyxl_says_the_remedy(monkeypatch):
    monkeypatch.setattr(user_tables, "find_spec", lambda name: None)
    assert "pip install openpyxl" in refusal(b"PK\x03\x04")


def write_workbook(rows):
    content = io.BytesIO()
    pd.DataFrame(rows).to_excel(content, header=False, index=False)
    return content.getvalue()


def test_a_workbook_is_read_as_text():
    pytest.importorskip("openpyxl")
    table = read(write_workbook([["Image_ID", "group", None], ["a/1", "001", None], ["a/2", 7, None]]))
    assert rows_of(table) == [("a/1", "001"), ("a/2", "7")]


def test_a_workbook_with_too_much_in_it_is_refused(monkeypatch):
    monkeypatch.setattr(user_tables, "find_spec", lambda name: "there")
    monkeypatch.setattr(user_tables, "_MOST_IN_WORKBOOK", 1_000_000)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", bytes(1_000_001))
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("unpacked"))
    assert "it unpacks to more than 1,000,000 bytes" in refusal(content.getvalue())


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_workbook_that_is_packed_otherwise_is_refused(monkeypatch, method):
    monkeypatch.setattr(user_tables, "find_spec", lambda name: "there")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        archive.writestr("xl/workbook.xml", bytes(1_000))
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("unpacked"))
    assert "it is packed in another way than workbooks are" in refusal(content.getvalue())


def test_another_kind_of_zip_is_no_workbook(monkeypatch):
    monkeypatch.setattr(user_tables, "find_spec", lambda name: "there")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a.jpg", b"a")
    assert "groups.csv cannot be read as a workbook" in refusal(content.getvalue())


@pytest.mark.slow
def test_a_cell_far_away_makes_no_millions_of_empty_ones(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active["A1"] = "pattern"
    book.active["XFD1048576"] = "x"
    book.save(tmp_path / "groups.xlsx")
    with pytest.raises(InputError, match=r"more than .* rows or 64 columns"):
        read_table((tmp_path / "groups.xlsx").read_bytes(), "groups.xlsx", GROUPS)

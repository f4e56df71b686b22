import pandas as pd

from leukoscope.core.fingerprint import fingerprint_files, fingerprint_table


def test_the_order_of_rows_does_not_matter_but_every_value_does():
    table = pd.DataFrame({"image_id": ["a", "b"], "label": ["x", "y"]})
    assert fingerprint_table(table) == fingerprint_table(table.iloc[::-1])
    assert fingerprint_table(table) != fingerprint_table(table.assign(label=["x", "z"]))


def test_the_names_and_the_content_of_files_matter_but_not_their_order_or_place(tmp_path):
    files = [tmp_path / "a.py", tmp_path / "b.py"]
    for file in files:
        file.write_text(file.name)
    before = fingerprint_files(files)
    assert fingerprint_files(files[::-1]) == before
    moved = [(tmp_path / "elsewhere").joinpath(file.name) for file in files]
    moved[0].parent.mkdir()
    for file, new in zip(files, moved, strict=True):
        new.write_bytes(file.read_bytes())
    assert fingerprint_files(moved) == before
    moved[1].write_text("other")
    assert fingerprint_files(moved) != before
    assert fingerprint_files([files[0]]) != before

import os
import pickle
import struct
import zipfile

import pytest

from leukoscope.errors import InputError
from leukoscope.images.source import label_files, open_source

CLASSES = ["Benign", "Early"]


def write(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return root


def write_zip(path, names):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, name)
    return path


def labelled(path):
    return {item.file.path: (item.image_id, item.label) for item in label_files(open_source(path), CLASSES)}


def refusals(path):
    return {file.path: file.refused for file in open_source(path).files if file.refused}


@pytest.mark.parametrize("above", ["", "Original/", "leukemia/Original/", "wrapping/leukemia/Original/", "smears/"])
@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_class_folders_are_found_at_any_depth(tmp_path, above, kind):
    names = [f"{above}Benign/a.jpg", f"{above}Early/b.jpg"]
    path = write(tmp_path, *names) if kind == "folder" else write_zip(tmp_path / "raw.zip", names)
    assert labelled(path) == {names[0]: ("Benign/a", "Benign"), names[1]: ("Early/b", "Early")}


def test_segmented_images_are_left_out(tmp_path):
    write(
        tmp_path, *[f"{top}/{name}/a.jpg" for top in ("Original", "Segmented", "__MACOSX/Original") for name in CLASSES]
    )
    assert list(labelled(tmp_path)) == ["Original/Benign/a.jpg", "Original/Early/a.jpg"]


def test_the_original_is_preferred_to_other_copies(tmp_path):
    write(tmp_path, *[f"{top}/{name}/a.jpg" for top in ("Backup", "Original") for name in CLASSES])
    assert list(labelled(tmp_path)) == ["Original/Benign/a.jpg", "Original/Early/a.jpg"]


def test_several_sets_of_class_folders_are_ambiguous(tmp_path):
    write(tmp_path, *[f"{top}/{name}/a.jpg" for top in ("one", "two") for name in CLASSES])
    with pytest.raises(InputError, match="several sets of class folders: in one, two"):
        labelled(tmp_path)


def test_no_known_class_folder_names_those_there_and_those_expected(tmp_path):
    write(tmp_path, "cats/a.jpg", "dogs/b.jpg")
    with pytest.raises(InputError, match=r"Expected folders named Benign, Early; there are cats, dogs\."):
        labelled(tmp_path)


def test_a_class_without_files_is_an_error(tmp_path):
    write(tmp_path, "Benign/a.jpg")
    with pytest.raises(InputError, match="No file for the class Early"):
        labelled(tmp_path)


def test_nothing_at_the_path_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"There are no images at .*missing"):
        open_source(tmp_path / "missing")


def test_neither_a_folder_nor_a_zip_is_an_error(tmp_path):
    write(tmp_path, "notes.txt")
    with pytest.raises(InputError, match="neither a folder nor a zip"):
        open_source(tmp_path / "notes.txt")


def test_a_corrupted_zip_is_an_error(tmp_path):
    path = write_zip(tmp_path / "raw.zip", ["Benign/a.jpg", "Early/b.jpg"])
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match=r"cannot be opened: .* intact zip"):
        labelled(path)


def test_every_file_below_the_parent_is_listed(tmp_path):
    write(
        tmp_path, "Original/.DS_Store", "Original/Benign/.DS_Store", "Original/Early/sub/b.jpg", "Original/Else/c.jpg"
    )
    assert labelled(tmp_path) == {
        "Original/.DS_Store": (".DS_Store", None),
        "Original/Benign/.DS_Store": ("Benign/.DS_Store", "Benign"),
        "Original/Early/sub/b.jpg": ("Early/sub/b", "Early"),
        "Original/Else/c.jpg": ("Else/c", None),
    }


def test_ids_stay_unique_where_only_the_suffix_differs(tmp_path):
    write(tmp_path, "Benign/a.jpg", "Benign/a.png", "Benign/a.png.jpg", "Early/b.jpg")
    ids = [image_id for image_id, _ in labelled(tmp_path).values()]
    assert ids == ["Benign/a", "Benign/a.png", "Benign/a.png.jpg", "Early/b"]


def test_links_are_followed_inside_the_folder_only(tmp_path):
    raw = write(tmp_path / "raw", "Benign/a.jpg", "Early/b.jpg")
    write(tmp_path, "secret.jpg", "elsewhere/c.jpg")
    (raw / "Benign/out.jpg").symlink_to(tmp_path / "secret.jpg")
    (raw / "Benign/in.jpg").symlink_to(raw / "Early/b.jpg")
    (raw / "Benign/gone.jpg").symlink_to(raw / "nowhere.jpg")
    (raw / "Benign/folder").symlink_to(raw / "Early")
    (raw / "Pro").symlink_to(tmp_path / "elsewhere")
    assert refusals(raw) == {
        "Benign/out.jpg": "symbolic link that leads out of the folder",
        "Benign/gone.jpg": "unreadable: No such file or directory",
        "Benign/folder": "not a regular file",
        "Pro": "symbolic link that leads out of the folder",
    }


def test_pipes_are_refused(tmp_path):
    write(tmp_path, "Benign/a.jpg")
    os.mkfifo(tmp_path / "Benign/pipe.jpg")
    assert refusals(tmp_path) == {"Benign/pipe.jpg": "not a regular file"}


def test_names_that_are_no_utf8_are_refused(tmp_path):
    write(tmp_path, "Benign/a.jpg")
    (tmp_path / os.fsdecode(b"Benign/\xff.jpg")).write_bytes(b"x")
    assert refusals(tmp_path) == {"Benign/\ufffd.jpg": "name that is not printable UTF-8"}


@pytest.mark.parametrize(
    "name", ["../evil.jpg", "/etc/evil.jpg", "Benign/../../evil.jpg", "C:/evil.jpg", "..\\evil.jpg"]
)
def test_zip_entries_that_point_outside_are_refused_and_listed(tmp_path, name):
    path = write_zip(tmp_path / "raw.zip", ["top/Benign/a.jpg", "top/Early/b.jpg", name])
    posix = name.replace("\\", "/")
    assert refusals(path) == {posix: "zip entry that points outside the archive"}
    assert labelled(path)[posix][1] is None or posix.startswith("Benign")


def test_zip_links_and_nested_zips_are_refused(tmp_path):
    path = write_zip(tmp_path / "raw.zip", ["Benign/a.jpg", "Early/b.jpg", "Early/more.ZIP"])
    link = zipfile.ZipInfo("Benign/link.jpg")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    assert refusals(path) == {"Benign/link.jpg": "symbolic link in a zip", "Early/more.ZIP": "zip inside a zip"}


def test_encrypted_zip_entries_are_refused(tmp_path):
    path = write_zip(tmp_path / "raw.zip", ["Benign/a.jpg"])
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        struct.pack_into("<H", content, content.index(signature) + offset, 1)
    path.write_bytes(content)
    assert refusals(path) == {"Benign/a.jpg": "encrypted zip entry"}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_only_the_first_of_equal_zip_entries_is_read(tmp_path):
    path = tmp_path / "raw.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Benign/a.jpg", "first")
        archive.writestr("Benign/a.jpg", "second")
    source = open_source(path)
    assert [file.refused for file in source.files] == [None, "second zip entry of the same name"]
    with source.reading() as read:
        assert read("Benign/a.jpg") == b"first"


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_a_source_reads_after_pickling(tmp_path, kind):
    names = ["Benign/a.jpg", "Early/b.jpg"]
    path = write(tmp_path, *names) if kind == "folder" else write_zip(tmp_path / "raw.zip", names)
    source = pickle.loads(pickle.dumps(open_source(path)))
    with source.reading() as read:
        assert [read(file.path) for file in source.files] == [b"Benign/a.jpg", b"Early/b.jpg"]

import os
import pickle
import socket
import struct
import subprocess
import unicodedata
import zipfile

import pytest

from leukoscope.core.errors import InputError
from leukoscope.images import archives
from leukoscope.images.class_folders import label_files, list_folder_names, name_files
from leukoscope.images.files import LINKED_FOLDER, MOST_LEVELS, make_printable
from leukoscope.images.source import open_any, open_source

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
    write(tmp_path, "Original/notes.txt", "Original/Benign/a.jpg", "Original/Early/sub/b.jpg", "Original/Else/c.jpg")
    assert labelled(tmp_path) == {
        "Original/notes.txt": ("notes", None),
        "Original/Benign/a.jpg": ("Benign/a", "Benign"),
        "Original/Early/sub/b.jpg": ("Early/sub/b", "Early"),
        "Original/Else/c.jpg": ("Else/c", None),
    }


HIDDEN = [
    ".DS_Store",
    "Benign/.DS_Store",
    "Benign/._a.jpg",
    "Benign/.ipynb_checkpoints/a-checkpoint.jpg",
    "Benign/@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg",
    "Benign/Thumbs.db",
    "Early/desktop.ini",
    "__MACOSX/Benign/._a.jpg",
    ".ipynb_checkpoints/Benign/a.jpg",
    "$RECYCLE.BIN/Early/b.jpg",
]


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_what_systems_leave_is_no_file_and_makes_no_class_folder(tmp_path, kind):
    names = ["Benign/a.jpg", "Early/b.jpg", *HIDDEN]
    path = write(tmp_path / "raw", *names) if kind == "folder" else write_zip(tmp_path / "raw.zip", names)
    assert list(labelled(path)) == ["Benign/a.jpg", "Early/b.jpg"]
    assert [item.image_id for item in name_files(open_any(path))] == ["Benign/a", "Early/b"]


def test_a_hidden_file_that_is_asked_for_is_taken(tmp_path):
    write(tmp_path, ".hidden.jpg")
    assert [item.file.path for item in name_files(open_any(tmp_path / ".hidden.jpg"))] == [".hidden.jpg"]


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
        "Benign/folder": LINKED_FOLDER,
        "Pro": LINKED_FOLDER,
    }


def test_what_would_block_is_refused(tmp_path, monkeypatch):
    write(tmp_path, "Benign/a.jpg")
    os.mkfifo(tmp_path / "Benign/pipe.jpg")
    (tmp_path / "Benign/device.jpg").symlink_to("/dev/zero")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("Benign/socket.jpg")
        assert refusals(tmp_path) == {
            "Benign/pipe.jpg": "not a regular file",
            "Benign/device.jpg": "symbolic link that leads out of the folder",
            "Benign/socket.jpg": "not a regular file",
        }
    for open_path in (open_source, open_any):
        with pytest.raises(InputError, match=r"pipe\.jpg"):
            open_path(tmp_path / "Benign/pipe.jpg")


@pytest.mark.parametrize("name", [b"\xff.jpg", b"a\nb.jpg", b"a\x1b[31m.jpg", "a\u202eb.jpg".encode(), b"a\tb.jpg"])
def test_names_that_cannot_be_printed_are_refused(tmp_path, name):
    write(tmp_path, "Benign/a.jpg")
    (tmp_path / "Benign" / os.fsdecode(name)).write_bytes(b"x")
    [(shown, reason)] = refusals(tmp_path).items()
    assert reason == "name that is not printable UTF-8"
    assert shown == f"Benign/{make_printable(os.fsdecode(name))}"
    assert shown.isprintable()
    assert "\ufffd" in shown


@pytest.mark.parametrize(
    "name", ["a b", "a\u00a0b", "9.41\u202fPM", "\u5316\u3000\u9aa8", 'a"b', "a'b", "a,b", "~", "a;b<c>"]
)
def test_any_name_that_can_be_printed_is_taken(tmp_path, name):
    write(tmp_path, f"Benign/{name}.jpg", "Early/b.jpg")
    assert labelled(tmp_path)[f"Benign/{name}.jpg"] == (f"Benign/{name}", "Benign")
    assert refusals(tmp_path) == {}


def test_a_zips_names_that_cannot_be_printed_are_refused(tmp_path):
    path = write_zip(tmp_path / "raw.zip", ["Benign/a.jpg", "Early/b.jpg", "Benign/a\nb.jpg", "Early/\x1b[2J.jpg"])
    assert refusals(path) == {
        "Benign/a\ufffdb.jpg": "name that is not printable",
        "Early/\ufffd[2J.jpg": "name that is not printable",
    }


@pytest.fixture
def bottomless(tmp_path):
    """A folder with 1,500 folders one below another, deeper than Python recurses and than a path is long."""
    folder = tmp_path / "Benign"
    folder.mkdir()
    here = os.open(folder, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    yield folder
    subprocess.run(["rm", "-rf", folder / "d"], check=True)  # pytest's own way recurses


@pytest.mark.usefixtures("bottomless")
def test_folders_are_looked_into_to_a_depth_only(tmp_path):
    write(tmp_path, "Benign/a.jpg", "Early/b.jpg")
    deep = "/".join(["Benign", *"d" * MOST_LEVELS])
    assert refusals(tmp_path) == {deep: "below more than 64 folders, which are not looked into"}
    assert labelled(tmp_path)["Early/b.jpg"] == ("Early/b", "Early")


def test_a_zips_folders_are_taken_to_a_depth_only(tmp_path):
    deep = "Benign/" + "d/" * 1500 + "c.jpg"
    path = write_zip(tmp_path / "raw.zip", ["Benign/a.jpg", "Early/b.jpg", deep])
    assert refusals(path) == {deep: "below more than 64 folders, which are not looked into"}
    assert labelled(path)["Benign/a.jpg"] == ("Benign/a", "Benign")


def test_a_folder_that_contains_itself_is_listed_once(tmp_path):
    write(tmp_path, "Benign/a.jpg", "Early/b.jpg")
    (tmp_path / "Early/loop").symlink_to(tmp_path)
    (tmp_path / "Early/self").symlink_to("self")
    assert refusals(tmp_path) == {
        "Early/loop": LINKED_FOLDER,
        "Early/self": "unreadable: Too many levels of symbolic links",
    }


def test_a_folder_that_cannot_be_read_has_a_reason(tmp_path, monkeypatch):
    write(tmp_path, "Benign/a.jpg", "Early/b.jpg", "Early/locked/c.jpg")
    scan = os.scandir

    def refuse(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert refusals(tmp_path) == {"Early/locked": "unreadable folder: Permission denied"}


DECOMPOSED = [unicodedata.normalize("NFD", name) for name in ("B\u00e9nin/\u00e9t\u00e9.jpg", "Pr\u00e9coce/b.jpg")]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_names_are_compared_in_one_spelling(tmp_path, kind, form):
    path = write(tmp_path / "raw", *DECOMPOSED) if kind == "folder" else write_zip(tmp_path / "raw.zip", DECOMPOSED)
    classes = [unicodedata.normalize(form, name) for name in ("B\u00e9nin", "Pr\u00e9coce")]
    files = label_files(open_source(path), classes)
    assert [(item.image_id, item.label) for item in files] == [
        ("B\u00e9nin/\u00e9t\u00e9", classes[0]),
        ("Pr\u00e9coce/b", classes[1]),
    ]
    assert [item.file.path for item in files] == DECOMPOSED
    with open_source(path).reading() as read:
        assert read(files[0].file.path) == DECOMPOSED[0].encode()
    assert list_folder_names(open_source(path)) == {"B\u00e9nin", "Pr\u00e9coce"}
    assert [item.image_id for item in name_files(open_any(path))] == [item.image_id for item in files]


@pytest.mark.parametrize(
    ("folder", "hint"),
    [
        ("early", "There is 'early': did you mean 'Early'? "),
        ("Early ", "There is 'Early ': did you mean 'Early'? "),
        ("Earyl", "There is 'Earyl': did you mean 'Early'? "),
        ("Else", ""),
    ],
)
def test_a_folder_of_nearly_the_name_is_pointed_out(tmp_path, folder, hint):
    write(tmp_path, "Benign/a.jpg", f"{folder}/b.jpg")
    with pytest.raises(InputError) as error:
        labelled(tmp_path)
    assert str(error.value).startswith(f"No file for the class Early at {tmp_path}, in '.'. {hint}Expected one folder")


def test_folders_that_all_differ_in_case_are_pointed_out(tmp_path):
    write(tmp_path, "raw/benign/a.jpg", "raw/EARLY /b.jpg")
    with pytest.raises(InputError) as error:
        labelled(tmp_path)
    assert (
        "there are raw, 'raw/EARLY ', raw/benign. There is 'benign': did you mean 'Benign'? "
        "There is 'EARLY ': did you mean 'Early'? Rename them"
    ) in str(error.value)


def test_a_linked_class_folder_is_named(tmp_path):
    write(tmp_path, "elsewhere/b.jpg", "raw/Benign/a.jpg")
    (tmp_path / "raw/Early").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="Symbolic links to folders are not followed, as Early: copy"):
        labelled(tmp_path / "raw")
    (tmp_path / "links").mkdir()
    for name in CLASSES:
        (tmp_path / "links" / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(
        InputError, match=r"no folder with files\. Symbolic links to folders are not followed, as Benign, Early: copy"
    ):
        labelled(tmp_path / "links")


def test_a_path_that_cannot_be_looked_at_is_an_error(tmp_path):
    for open_path in (open_source, open_any):
        with pytest.raises(InputError, match=r"cannot be opened: File name too long: .*aaa\.\.\.\. Expected"):
            open_path(tmp_path / ("a" * 5000))


@pytest.mark.parametrize(("name", "there"), [("smears", "smears, 2024"), ("slide", "slide #2")])
def test_a_path_that_was_cut_is_pointed_out(tmp_path, name, there):
    (tmp_path / there).mkdir()
    for open_path in (open_source, open_any):
        with pytest.raises(InputError) as error:
            open_path(tmp_path / name)
        assert f" There is '{there}' beside it: --params cuts a path at a comma" in str(error.value)
        assert "conf/local/globals.yml" in str(error.value)


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


def test_where_no_class_folder_is_left_it_says_what_was_refused(tmp_path):
    path = write_zip(tmp_path / "raw.zip", ["all/leukemia.zip"])
    with pytest.raises(InputError, match=r"no class folder\. .*Not taken: 1 file \(zip inside a zip\)\. Rename"):
        label_files(open_any(path), ["Benign", "Early"])


def test_encrypted_zip_entries_are_refused(tmp_path):
    path = write_zip(tmp_path / "raw.zip", ["Benign/a.jpg"])
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        struct.pack_into("<H", content, content.index(signature) + offset, 1)
    path.write_bytes(content)
    assert refusals(path) == {"Benign/a.jpg": "encrypted zip entry: pack again without a password"}


def change_method(path, method):
    """Let a zip's first entry say that it is packed by another method."""
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        struct.pack_into("<H", content, content.index(signature) + offset, method)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        (9, "packed by Deflate64, which cannot be read: pack again as ordinary zip"),
        (12, "packed by bzip2, which cannot be read: pack again as ordinary zip"),
        (14, "packed by LZMA, which cannot be read: pack again as ordinary zip"),
        (93, "packed by Zstandard, which cannot be read: pack again as ordinary zip"),
        (95, "packed by xz, which cannot be read: pack again as ordinary zip"),
        (6, "packed by method 6, which cannot be read: pack again as ordinary zip"),
        (99, "encrypted zip entry: pack again without a password"),
    ],
)
def test_other_methods_of_packing_are_named(tmp_path, method, reason):
    path = change_method(write_zip(tmp_path / "raw.zip", ["Benign/a.jpg", "Early/b.jpg"]), method)
    assert refusals(path) == {"Benign/a.jpg": reason}


def test_a_bzip2_bomb_is_refused_unread(tmp_path):
    path = tmp_path / "raw.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("Benign/bomb.jpg", bytes(20_000_000))
        archive.writestr("Early/b.jpg", b"b", zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", content, content.index(signature) + offset, 1000)  # of the size that it says it has
    path.write_bytes(content)
    assert len(content) < 1000
    assert refusals(path) == {"Benign/bomb.jpg": "packed by bzip2, which cannot be read: pack again as ordinary zip"}


class CountingStream:
    """Passes a stream on, and counts what is read of it."""

    def __init__(self, file):
        self.file, self.read_bytes, self.largest = file, 0, 0

    def read(self, size):
        piece = self.file.read(size)
        self.read_bytes += len(piece)
        self.largest = max(self.largest, size)
        return piece

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()


def test_an_entry_is_unpacked_in_pieces_up_to_the_size_that_it_states(tmp_path, monkeypatch):
    path = tmp_path / "raw.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Benign/bomb.jpg", bytes(50_000_000))
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", content, content.index(signature) + offset, 3_000_000)
    path.write_bytes(content)
    open_entry, streams = zipfile.ZipFile.open, []

    def count(self, *given):
        streams.append(CountingStream(open_entry(self, *given)))
        return streams[-1]

    monkeypatch.setattr(zipfile.ZipFile, "open", count)
    with open_source(path).reading() as read, pytest.raises(zipfile.BadZipFile, match="Bad CRC-32"):
        read("Benign/bomb.jpg")
    assert streams[0].read_bytes <= 3_000_000
    assert streams[0].largest <= 2**20


def test_entries_that_share_bytes_are_refused(tmp_path):
    path = write_zip(tmp_path / "raw.zip", ["Benign/a.jpg", "Early/b.jpg", "Early/c.jpg"])
    content = bytearray(path.read_bytes())
    second = content.index(b"PK\x01\x02", content.index(b"PK\x01\x02") + 1)
    struct.pack_into("<I", content, second + 42, 0)  # where the entry begins
    path.write_bytes(content)
    assert refusals(path) == dict.fromkeys(
        ["Benign/a.jpg", "Early/b.jpg"], "zip entry that shares its bytes with others"
    )


def test_a_zips_directory_is_read_up_to_a_size(tmp_path, monkeypatch):
    path = write_zip(tmp_path / "raw.zip", [f"Benign/{number}.jpg" for number in range(100)])
    directory = 100 * 46 + sum(len(f"Benign/{number}.jpg") for number in range(100))
    monkeypatch.setattr(archives, "_LARGEST_DIRECTORY", directory - 1)
    with pytest.raises(InputError, match=f"its directory has {directory:,} bytes, more than {directory - 1:,}"):
        refusals(path)
    monkeypatch.setattr(archives, "_LARGEST_DIRECTORY", directory)
    assert refusals(path) == {}


def test_a_zips_path_that_begins_here_is_plain(tmp_path):
    path = write_zip(tmp_path / "raw.zip", ["./Benign/a.jpg", ".//Early/b.jpg"])
    assert labelled(path) == {"Benign/a.jpg": ("Benign/a", "Benign"), "Early/b.jpg": ("Early/b", "Early")}
    with open_source(path).reading() as read:
        assert read("Early/b.jpg") == b".//Early/b.jpg"


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

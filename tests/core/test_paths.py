from pathlib import Path

import pytest

from leukoscope.core.errors import InputError
from leukoscope.core.paths import read_path, require_paths
from leukoscope.datasets import AnyImagesDataset, RawImagesDataset


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home/x").mkdir(parents=True)
    return tmp_path / "home"


@pytest.mark.parametrize("given", ["~/x", "{project}/~/x", "~/x/", "{home}/x"])
def test_a_tilde_is_the_home_folder(home, tmp_path, given):
    """Kedro makes a relative path absolute, and knows no tilde."""
    assert read_path(given.format(project=tmp_path, home=home), "raw_images") == home / "x"


def test_a_folder_named_like_a_tilde_is_itself(home, tmp_path):
    (tmp_path / "~/x").mkdir(parents=True)
    assert read_path(f"{tmp_path}/~/x", "raw_images") == tmp_path / "~/x"
    assert read_path(f"{tmp_path}/~/y", "raw_images") == tmp_path / "~/y"


@pytest.mark.parametrize("name", ["a b", "a'b", 'a"b', "a,b", "x~y", "2024", "true", "été"])
def test_other_paths_stay_as_they_are(home, name):
    assert read_path(f"/data/{name}", "raw_images") == Path("/data") / name


def test_the_home_folder_of_nobody_is_no_home(home):
    assert read_path("/p/~no-such-user/x", "raw_images") == Path("/p/~no-such-user/x")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (2024, "raw_images is the int 2024, as YAML reads it, and not a path"),
        (2024.1, "raw_images is the float 2024.1, as YAML reads it"),
        (True, "raw_images is the bool True, as YAML reads it"),
        ({"a": "b"}, "raw_images is the dict {'a': 'b'}, as YAML reads it"),
        (None, "raw_images is empty. Expected a path"),
        ("", "raw_images is empty. Expected a path"),
        ("  ", "raw_images is '  ', as YAML reads it"),
        ("a\0b", "raw_images is 'a\\x00b', as YAML reads it"),
    ],
)
def test_what_is_no_path_is_refused_before_and_when_it_is_read(value, message):
    for check in (
        lambda: require_paths({"raw_images": value}),
        lambda: RawImagesDataset(filepath=value).load(),
        lambda: AnyImagesDataset(filepath=value, parameter="raw_images").load(),
    ):
        with pytest.raises(InputError) as error:
            check()
        assert str(error.value).startswith(message)


def test_other_parameters_are_not_looked_at():
    require_paths({"seed": 2024, "raw_images": "./2024", "images": "x"})

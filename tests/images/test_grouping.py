import numpy as np
import pandas as pd
import pytest

from leukoscope.core.errors import InputError
from leukoscope.features.colour import cluster_appearance, count_colours
from leukoscope.images.grouping import group_by_appearance, group_by_table, look_up_groups, merge_groups


def test_merged_groups_hold_together_what_either_holds_together():
    patients = pd.Series(["p1", "p1", "p2", "p3"])
    duplicates = pd.Series(["a", "b", "b", "c"])
    merged = merge_groups(patients, duplicates)
    assert merged[0] == merged[1] == merged[2] != merged[3]


class TestLookUpGroups:
    ids = pd.Series(["a/1", "a/2", "b/1"])
    accepted = np.array([True, True, False])

    def look_up(self, table: dict) -> list[str]:
        return look_up_groups(self.ids, self.accepted, pd.DataFrame(table)).tolist()

    def test_by_id_a_quarantined_image_may_be_in_the_table(self):
        assert self.look_up({"image_id": self.ids, "group": ["x", "y", "z"]}) == ["x", "y"]

    def test_names_are_compared_in_one_spelling(self):
        ids, accepted = pd.Series(["B\u00e9nin/1", "B\u00e9nin/2"]), np.array([True, True])
        for table in (
            {"image_id": ["Be\u0301nin/1", "B\u00e9nin/2"], "group": ["Rene\u0301 ", " Ren\u00e9"]},
            {"pattern": ["Be\u0301*/1", "B\u00e9nin/2"], "group": ["Rene\u0301", "Ren\u00e9"]},
        ):
            assert look_up_groups(ids, accepted, pd.DataFrame(table)).tolist() == ["Ren\u00e9", "Ren\u00e9"]

    def test_brackets_of_names_are_found_by_patterns(self):
        ids, accepted = pd.Series(["[Malignant] Pre-B/1", "[Malignant] Pre-B/2", "Benign/1"]), np.ones(3, bool)
        table = {
            "pattern": ["[Malignant] Pre-B/1", "[[]Malignant] Pre-B/2", "Benign/[0-4]"],
            "group": ["x", "y", "z"],
        }
        assert look_up_groups(ids, accepted, pd.DataFrame(table)).tolist() == ["x", "y", "z"]

    def test_a_pattern_that_fits_is_not_tried_otherwise(self):
        ids = pd.Series(["a1", "[a]1"])
        table = {"pattern": ["[a]1", "[[]a]1"], "group": ["x", "y"]}
        assert look_up_groups(ids, np.ones(2, bool), pd.DataFrame(table)).tolist() == ["x", "y"]

    def test_by_pattern(self):
        assert self.look_up({"pattern": ["a/*", "b/*"], "group": ["x", "y"]}) == ["x", "x"]

    @pytest.mark.parametrize(
        ("table", "message"),
        [
            ({"image_id": ["a/1"], "patient": ["x"]}, "needs group"),
            ({"image_id": ["a/1", "a/2", "c/9"], "group": ["x"] * 3}, "1 image_id entry that fits no image: c/9"),
            ({"pattern": ["a/*", "q*"], "group": ["x", "y"]}, r"pattern entry that fits no image: q\*"),
            ({"image_id": ["a/1", "a/2 "], "group": ["x", "y"]}, "entry that fits no image: 'a/2 '"),
            ({"image_id": ["a/1", "a/2"], "group": ["x", " "]}, "1 row without a group: a/2"),
            ({"image_id": ["a/1", "a/2"], "group": ["x", None]}, "1 row without a group: a/2"),
            ({"pattern": [], "group": []}, "2 accepted images without a group"),
            ({"image_id": ["a/1"], "group": ["x"]}, "1 accepted image without a group: a/2"),
            ({"pattern": ["a/*", "*/1"], "group": ["x", "y"]}, "1 image with more than one group: a/1"),
        ],
    )
    def test_what_does_not_fit_is_named(self, table, message):
        with pytest.raises(InputError, match=message):
            self.look_up(table)


def test_duplicates_join_the_groups_of_a_table():
    """Two patients of whom one field is the same are one group."""
    manifest = pd.DataFrame({"image_id": list("abcd"), "status": "accepted", "group": ["a", "b", "b", "d"]})
    table = pd.DataFrame({"image_id": list("abcd"), "group": ["p1", "p1", "p2", "p3"]})
    groups = group_by_table(manifest[["image_id", "group"]], manifest, table)
    assert groups[0] == groups[1] == groups[2] != groups[3]


def test_clusters_go_by_rare_colours_as_much_as_by_the_square_root_says():
    """A background that varies by a fifth is one cluster; a twentieth of another colour makes two."""
    drift = np.linspace(-0.1, 0.1, 20)
    plain = np.stack([0.5 + drift, 0.5 - drift, 0 * drift], axis=1)
    speckled = np.stack([0.475 + drift, 0.475 - drift, 0 * drift + 0.05], axis=1)
    clusters = cluster_appearance(np.concatenate([plain, speckled]), 2, seed=1)
    assert set(clusters[:20]) != set(clusters[20:])
    assert len(set(clusters[:20])) == len(set(clusters[20:])) == 1


@pytest.fixture
def stained(splits, smears):
    """Twenty pictures of each of eight stains, with the same noise in each."""
    stains = np.repeat(np.arange(8), 20)
    tints = np.random.default_rng(5).integers(0, 200, (8, 3))[stains]
    smears.pixels = (smears.pixels % 20 + tints[:, None, None, :]).astype("uint8")
    return smears, stains


def test_colours_are_counted_in_shares(smears):
    colours = count_colours(np.full((1, 4, 4, 3), [0, 100, 255], np.uint8), np.array([0]))
    assert colours.shape == (1, 96)
    assert np.flatnonzero(colours[0]).tolist() == [0, 32 + 100 // 8, 95]
    assert colours.sum() == 3


def test_clusters_are_the_stains(stained):
    smears, stains = stained
    colours = count_colours(smears.pixels, np.arange(160))
    clusters = cluster_appearance(colours, 8, seed=1)
    assert (pd.crosstab(stains, clusters) > 0).sum().tolist() == [1] * 8
    assert (clusters == cluster_appearance(colours, 8, seed=1)).all()


def test_duplicates_of_two_clusters_join_them(stained, splits):
    smears, _ = stained
    images = splits[["image_id"]].assign(group=splits["image_id"])
    apart = group_by_appearance(images, smears, 8, seed=1)
    images.loc[[0, 20], "group"] = "copies"
    joined = group_by_appearance(images, smears, 8, seed=1)
    assert apart.nunique() == 8
    assert joined.nunique() == 7
    assert joined[0] == joined[39]


def test_more_clusters_than_images_are_refused(splits, smears):
    with pytest.raises(InputError, match=r"splitting\.appearance_clusters is 161, and there are 160 accepted"):
        group_by_appearance(splits, smears, 161, seed=1)

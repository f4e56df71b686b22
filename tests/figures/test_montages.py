import numpy as np

from leukoscope.figures.montages import draw_grid, draw_titled


def test_images_stand_in_rows_and_columns_below_their_titles():
    images = np.arange(6, dtype=float).reshape(2, 3, 1, 1, 1) * np.ones((1, 1, 4, 4, 3))
    figure = draw_grid(images, ["Benign", "Pro"], ["as it is", "changed", "again"])
    assert [int(axes.images[0].get_array()[0, 0, 0]) for axes in figure.axes] == [0, 1, 2, 3, 4, 5]
    assert [axes.get_title() for axes in figure.axes] == ["as it is", "changed", "again", "", "", ""]
    assert [axes.get_ylabel() for axes in figure.axes] == ["Benign", "", "", "Pro", "", ""]


def test_pixels_beyond_black_and_white_are_cut_off_not_wrapped():
    images = np.array([-20.0, 300.0]).reshape(1, 2, 1, 1, 1) * np.ones((1, 1, 2, 2, 3))
    dark, light = draw_grid(images, ["one"], ["dark", "light"]).axes
    assert np.unique(dark.images[0].get_array()).tolist() == [0]
    assert np.unique(light.images[0].get_array()).tolist() == [255]


def test_a_single_image_is_a_grid():
    (axes,) = draw_grid(np.zeros((1, 1, 4, 4, 3)), ["row"], ["column"]).axes
    assert (axes.get_title(), axes.get_ylabel()) == ("column", "row")
    assert not axes.get_xticks().size


def test_titled_images_stand_in_as_few_columns_as_there_are_images_below_titles_in_lines():
    long = "[Malignant] Pre-B cell: [Malignant] early Pre-B?"
    figure = draw_titled([np.zeros((4, 4, 3))] * 3, ["a: b?", long, "$x"], 8, "Three of 9")
    assert figure.get_suptitle() == "Three of 9"
    titles = [axes.get_title() for axes in figure.axes]
    assert len(titles) == 3
    assert (titles[0], titles[2]) == ("a: b?", "\\$x")
    assert titles[1].replace("\n", " ") == long
    assert max(map(len, titles[1].split("\n"))) <= 22


def test_where_there_is_no_image_it_is_said():
    assert draw_titled([], [], 8).get_suptitle() == "There is none"

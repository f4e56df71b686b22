from leukoscope.figures import colours


def test_a_class_has_its_colour_by_its_place_among_all_classes():
    styles = colours.style_classes(["Benign", "Early", "Pre"])
    assert [style.colour for style in styles.values()] == [colours.GREEN, colours.ORANGE, colours.BLUE]
    assert {style.line for style in styles.values()} == {"-"}


def test_classes_that_share_a_colour_differ_in_their_lines():
    styles = colours.style_classes([f"class {number}" for number in range(24)])
    assert styles["class 0"].colour == styles["class 8"].colour == styles["class 16"].colour
    assert len(set(styles.values())) == 24

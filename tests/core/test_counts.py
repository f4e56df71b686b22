from leukoscope.core.counts import count_of


def test_one_is_singular_and_all_else_plural():
    assert [count_of(number, "image") for number in (0, 1, 2)] == ["0 images", "1 image", "2 images"]
    assert count_of(1, "label that is no class", "labels that are no class") == "1 label that is no class"
    assert count_of(3, "label that is no class", "labels that are no class") == "3 labels that are no class"

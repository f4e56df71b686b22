from leukoscope.core.counts import count_of, write_count


def test_one_is_singular_and_all_else_plural():
    assert [count_of(number, "image") for number in (0, 1, 2)] == ["0 images", "1 image", "2 images"]
    assert count_of(1, "label that is no class", "labels that are no class") == "1 label that is no class"
    assert count_of(3, "label that is no class", "labels that are no class") == "3 labels that are no class"


def test_pages_write_thousands_with_a_comma_and_parts_of_a_day():
    assert [write_count(number, "day") for number in (0, 0.5, 1.0, 14.0, 1200)] == [
        "0 days",
        "0.5 days",
        "1 day",
        "14 days",
        "1,200 days",
    ]

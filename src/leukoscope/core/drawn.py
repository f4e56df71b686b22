"""The mark of drawn smears, and what people are told of data that has some."""

# A comment in the file itself: it stays when files are copied, zipped or renamed, and Pillow writes it into new JPEGs.
MARK = "Drawn by Leukoscope: not a photograph, and nobody's blood"


def is_drawn(data: bytes) -> bool:
    """Tell whether the content of a file bears the mark of a drawn smear."""
    return MARK.encode() in data


def describe_training(drawn: int | None, images: int) -> str:
    """Say in a few words what a classifier learned from, for a table's column.

    Args:
        drawn: How many of its images bear the mark; ``None`` where that was not recorded.
        images: How many there are.
    """
    if drawn is None:
        return "not recorded"
    if not drawn:
        return "no images known to be drawn"
    return "drawn images" if drawn == images else f"partly drawn images ({drawn} of {images})"


def warn_of_images(drawn: int | None, images: int) -> str | None:
    """Give the warning that figures on some images need, or ``None`` if none of them is known to be drawn.

    Args:
        drawn: How many of the images bear the mark; ``None`` where that was not recorded.
        images: How many there are.
    """
    if not drawn:
        return None
    return (
        f"Drawn data: Leukoscope drew {_count(drawn, images)}. They show nobody's blood, and the figures say nothing "
        f"about real smears."
    )


def warn_of_reader(drawn: int | None, images: int) -> str | None:
    """Give the warning that opinions of a classifier need, or ``None`` if it learned from no drawn image.

    Args:
        drawn: How many of its images bear the mark; ``None`` where that was not recorded.
        images: How many there are.
    """
    if not drawn:
        return None
    return (
        f"Trained on drawn data: Leukoscope drew {_count(drawn, images)} of the data that the classifier learned from. "
        f"Its opinions say nothing about real smears."
    )


def _count(drawn: int, images: int) -> str:
    return f"all {images:,} images" if drawn == images else f"{drawn:,} of the {images:,} images"

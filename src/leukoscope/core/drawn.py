"""The mark of drawn smears, and the warnings about data that contains some."""

# A comment inside the file survives copying, zipping and renaming, and Pillow writes it into new JPEGs.
MARK = "Drawn by Leukoscope: not a photograph, and nobody's blood"


def is_drawn(data: bytes) -> bool:
    """Return whether a file's content bears the mark of a drawn smear."""
    return MARK.encode() in data


def describe_training(drawn: int | None, images: int) -> str:
    """Describe in a few words what a classifier learned from, for a table column.

    Args:
        drawn: Number of its images that bear the mark; ``None`` if not recorded.
        images: Number of images.
    """
    if drawn is None:
        return "not recorded"
    if not drawn:
        return "no images known to be drawn"
    return "drawn images" if drawn == images else f"partly drawn images ({drawn} of {images})"


def warn_of_images(drawn: int | None, images: int) -> str | None:
    """Return the warning that metrics on some images need; ``None`` if no image is known to be drawn.

    Args:
        drawn: Number of images that bear the mark; ``None`` if not recorded.
        images: Number of images.
    """
    if not drawn:
        return None
    return (
        f"Drawn data: Leukoscope drew {_count(drawn, images)}. They show nobody's blood, and the figures say nothing "
        f"about real smears."
    )


def warn_of_reader(drawn: int | None, images: int) -> str | None:
    """Return the warning that a classifier's opinions need; ``None`` if it learned from no drawn image.

    Args:
        drawn: Number of its images that bear the mark; ``None`` if not recorded.
        images: Number of images.
    """
    if not drawn:
        return None
    return (
        f"Trained on drawn data: Leukoscope drew {_count(drawn, images)} of the data that the classifier learned from. "
        f"Its opinions say nothing about real smears."
    )


def _count(drawn: int, images: int) -> str:
    return f"all {images:,} images" if drawn == images else f"{drawn:,} of the {images:,} images"

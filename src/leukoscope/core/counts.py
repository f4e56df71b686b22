"""Numbers with their nouns, as messages and pages write them."""


def count_of(number: int, singular: str, plural: str = "") -> str:
    """Write how many there are: ``1 image``, ``12 images``.

    Args:
        number: How many.
        singular: The noun, with what depends on it.
        plural: The same in the plural; by default the singular with an s.
    """
    return f"{number} {singular if number == 1 else plural or f'{singular}s'}"

"""Numbers with their nouns, as messages and pages write them."""


def count_of(number: int, one: str, more: str = "") -> str:
    """Write how many there are: ``1 image``, ``12 images``.

    Args:
        number: How many.
        one: The noun in the singular, with what depends on it.
        more: The same in the plural; by default the singular with an s.
    """
    return f"{number} {one if number == 1 else more or f'{one}s'}"

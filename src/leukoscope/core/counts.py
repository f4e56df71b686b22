"""Numbers with nouns, for messages and pages."""


def count_of(number: int, singular: str, plural: str = "") -> str:
    """Format a count with its noun: ``1 image``, ``12 images``.

    Args:
        number: The count.
        singular: The singular noun, with any words that agree with it.
        plural: Its plural; by default the singular with an s.
    """
    return f"{number} {singular if number == 1 else plural or f'{singular}s'}"

"""Numbers with nouns, for messages and pages."""


def count_of(number: int, singular: str, plural: str = "") -> str:
    """Write how many there are in a message: ``1 image``, ``1200 images``.

    Args:
        number: The count.
        singular: The singular noun, with any words that agree with it.
        plural: Its plural; by default the singular with an s.
    """
    return f"{number} {_choose_noun(number, singular, plural)}"


def write_count(number: float, singular: str, plural: str = "") -> str:
    """Write how many there are on a page or in a figure: ``1 image``, ``1,200 images``, ``0.5 days``.

    Args:
        number: How many.
        singular: As of ``count_of``.
        plural: As of ``count_of``.
    """
    written = f"{number:,.0f}" if number == round(number) else f"{number:g}"
    return f"{written} {_choose_noun(number, singular, plural)}"


def _choose_noun(number: float, singular: str, plural: str) -> str:
    return singular if number == 1 else plural or f"{singular}s"

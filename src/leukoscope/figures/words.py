"""Names from users in figures, such as classes and files, which Matplotlib could misinterpret."""


def as_it_is(text: str) -> str:
    """Escape a text so that Matplotlib draws it literally.

    Matplotlib parses text between two dollar signs as a formula, with an error if it is none, and leaves labels with a
    leading underscore out of legends.
    """
    literal = text.replace("$", r"\$")
    return f" {literal}" if literal.startswith("_") else literal

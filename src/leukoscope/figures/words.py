"""Words of users in figures: names of classes and files, which Matplotlib would take for something else."""


def as_it_is(text: str) -> str:
    """Let Matplotlib draw a text letter by letter.

    Between two dollar signs it would look for a formula, and raise an error if there is none; what begins with an
    underscore it leaves out of legends.
    """
    literal = text.replace("$", r"\$")
    return f" {literal}" if literal.startswith("_") else literal

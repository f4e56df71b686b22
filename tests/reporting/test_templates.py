"""What all templates of pages keep to."""

import re
from pathlib import Path

import pytest

import leukoscope
from leukoscope.reporting.html import make_environment

TEMPLATES = sorted(Path(leukoscope.__file__).parent.glob("*/templates/*.*"))
# What `counted` writes in the singular or the plural; a split's name before it is no number.
BY_ITSELF = re.compile(
    r"\{\{ (?!judged\b|split\b|\{)(?:(?!counted|\}\}).)*\}\}\s+(?:test |trained |accepted )?"
    r"(images|fields|files|groups|cells|reviews|readers|days|epochs|trials|trainings|units|seeds|folds|models|labels)\b"
)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_numbers_are_written_with_the_noun_that_belongs_to_them(template):
    text = template.read_text()
    assert [match.group() for match in BY_ITSELF.finditer(text)] == []
    assert 'else "s"' not in text, "a plural's s: write {{ number | counted(noun) }}"


def test_one_is_singular_on_pages():
    template = make_environment("reporting/templates").from_string('{{ n | counted("file was", "files were") }} found')
    assert [template.render(n=n) for n in (1, 1.0, 2, 3242)] == [
        "1 file was found",
        "1 file was found",
        "2 files were found",
        "3,242 files were found",
    ]

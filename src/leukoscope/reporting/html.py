"""What all pages have in common: how templates are rendered, and how a picture becomes a part of a page."""

import base64

import jinja2

from leukoscope.core.counts import write_count


def make_environment(templates: str) -> jinja2.Environment:
    """Make the environment of a folder of templates: HTML is escaped, and what is not given is an error.

    Args:
        templates: The folder, below the package.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("leukoscope", templates),
        autoescape=jinja2.select_autoescape(["html"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["counted"] = write_count
    return environment


def to_data_uri(content: bytes, kind: str) -> str:
    """Give the content of a picture, such as ``png``, as the source of an HTML image."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"

"""Shared by all pages: the template environment, and embedding pictures in a page."""

import base64

import jinja2

from leukoscope.core.counts import write_count


def make_environment(templates: str) -> jinja2.Environment:
    """Create the Jinja environment of a template folder: HTML is escaped, and missing variables raise an error.

    Args:
        templates: The folder, relative to the package.
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
    """Encode picture data of a type such as ``png`` as a data URI for an HTML image."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"

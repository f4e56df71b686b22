"""Embed figures in an HTML page as SVG."""

import io
import re
import warnings
from xml.etree import ElementTree

from matplotlib import rc_context
from matplotlib.figure import Figure

_NAMESPACE = "http://www.w3.org/2000/svg"
_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
# Replaces Matplotlib's style sheet, which in a page would apply to everything.
_STYLE = "stroke-linejoin: round; stroke-linecap: butt"


def to_svg(figure: Figure, name: str) -> str:
    """Render a figure as an SVG element, reproducibly and with text as text.

    Args:
        figure: A figure that has not been drawn: constrained layouts shift slightly when drawn again.
        name: A name unique among the figures of a page, so that no two share element ids.
    """
    content = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name}), warnings.catch_warnings():
        # Matplotlib's default font lacks some scripts; browsers substitute another.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(content, format="svg", metadata=_METADATA)
    return _embed(ElementTree.fromstring(content.getvalue()))


def _embed(root: ElementTree.Element) -> str:
    """Remove from an SVG document what is useless inside a page, or would affect the rest of it."""
    for part in root.iter(f"{{{_NAMESPACE}}}defs"):
        for sheet in part.findall(f"{{{_NAMESPACE}}}style"):
            part.remove(sheet)
    _strip_namespaces(root)
    _drop_unused_ids(root)
    root.attrib |= {"xmlns": _NAMESPACE, "style": _STYLE}
    return ElementTree.tostring(root, encoding="unicode")


def _strip_namespaces(root: ElementTree.Element) -> None:
    """Rename elements and attributes as in HTML, where ``xlink:href`` is ``href``."""
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        for name in [name for name in element.attrib if "}" in name]:
            element.set(name.rpartition("}")[2], element.attrib.pop(name))


def _drop_unused_ids(root: ElementTree.Element) -> None:
    """Keep only ids that are referenced: Matplotlib numbers all elements, alike in every figure."""
    used = set()
    for element in root.iter():
        used.add(element.get("href", "").removeprefix("#"))
        for value in element.attrib.values():
            used.update(_REFERENCE.findall(value))
    for element in root.iter():
        if element.get("id") not in used:
            element.attrib.pop("id", None)

"""Figures as parts of an HTML page."""

import io
import re
import warnings
from xml.etree import ElementTree

from matplotlib import rc_context
from matplotlib.figure import Figure

_NAMESPACE = "http://www.w3.org/2000/svg"
_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
# What Matplotlib says of all lines by a style sheet, which in a page would be that of everything.
_STYLE = "stroke-linejoin: round; stroke-linecap: butt"


def to_svg(figure: Figure, name: str) -> str:
    """Draw a figure as an SVG element, the same for the same figure; its letters stay letters.

    Args:
        figure: As it was made; it is drawn once only, since constrained layouts move a little when drawn again.
        name: Other than that of any figure on the same page, so that no two have parts of the same id.
    """
    content = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name}), warnings.catch_warnings():
        # Matplotlib's own font lacks some scripts; browsers choose another for these.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(content, format="svg", metadata=_METADATA)
    return _embed(ElementTree.fromstring(content.getvalue()))


def _embed(root: ElementTree.Element) -> str:
    """Leave out of an SVG document what is of no use inside of a page, or would act on the rest of it."""
    for part in root.iter(f"{{{_NAMESPACE}}}defs"):
        for sheet in part.findall(f"{{{_NAMESPACE}}}style"):
            part.remove(sheet)
    _strip_namespaces(root)
    _drop_unused_ids(root)
    root.attrib |= {"xmlns": _NAMESPACE, "style": _STYLE}
    return ElementTree.tostring(root, encoding="unicode")


def _strip_namespaces(root: ElementTree.Element) -> None:
    """Name elements and attributes as HTML does, where ``xlink:href`` is ``href``."""
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        for name in [name for name in element.attrib if "}" in name]:
            element.set(name.rpartition("}")[2], element.attrib.pop(name))


def _drop_unused_ids(root: ElementTree.Element) -> None:
    """Keep the ids that something refers to: Matplotlib numbers all parts, in every figure alike."""
    used = set()
    for element in root.iter():
        used.add(element.get("href", "").removeprefix("#"))
        for value in element.attrib.values():
            used.update(_REFERENCE.findall(value))
    for element in root.iter():
        if element.get("id") not in used:
            element.attrib.pop("id", None)

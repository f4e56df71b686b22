"""Links between the pages of one folder: relative, and only to existing pages."""

import posixpath
from collections.abc import Iterable, Mapping
from typing import NamedTuple

AUDIT = "comparison.html#audit"
# In the order in which pages list them.
_TITLES = {
    "comparison.html": "Models compared",
    AUDIT: "Audit",
    "literature.html": "Published figures",
    "study.html": "Study",
    "search.html": "Search",
    "agreement.html": "Readers",
    "monitoring.html": "Monitoring",
}


class Link(NamedTuple):
    """A link to another page.

    Attributes:
        href: Path relative to the linking page.
        title: Title of the target.
    """

    href: str
    title: str


def name_report(model: str) -> str:
    """Return the path of a model's page, below the reports folder."""
    return f"{model}/report.html"


def name_external(model: str) -> str:
    """Return the path of a model's page on images of another source."""
    return f"{model}/external.html"


def list_links(page: str, pages: Iterable[str], *, is_audited: bool = False, own: str = "") -> list[Link]:
    """List a page's links to the pages that are not about one model, and to the other page of its own model.

    Args:
        page: Its path below the reports folder.
        pages: Paths of all existing pages.
        is_audited: Whether the comparison has a plot of the audit.
        own: The model that the page is about.
    """
    there = {*pages, AUDIT} if is_audited and "comparison.html" in set(pages) else set(pages)
    titles = dict(_TITLES)
    if own:
        titles |= {name_report(own): "Test images", name_external(own): "Images of another source"}
    return [Link(_go(page, other), title) for other, title in titles.items() if other in there and _file(other) != page]


def link_models(page: str, pages: Iterable[str], titles: Mapping[str, str]) -> dict[str, Link]:
    """List a page's links to the models' pages, by the model's name.

    Args:
        page: Its path below the reports folder.
        pages: Paths of all existing pages.
        titles: Titles of the models, by name.
    """
    there = set(pages)
    links = {name: Link(_go(page, name_report(name)), title) for name, title in titles.items()}
    return {name: link for name, link in links.items() if name_report(name) in there}


def _file(path: str) -> str:
    return path.partition("#")[0]


def _go(page: str, other: str) -> str:
    return posixpath.relpath(other, posixpath.dirname(page) or ".")

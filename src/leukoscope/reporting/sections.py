"""Extract the text of each section of a page."""

from html.parser import HTMLParser

_SILENT = ("script", "style", "svg")


class _Reader(HTMLParser):
    """Collects the text of each section that has an anchor, including the heading before it, without plots."""

    def __init__(self) -> None:
        super().__init__()
        self.words: dict[str, list[str]] = {}
        self._section = ""
        self._silent = ""
        self._heading: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not self._silent and tag in _SILENT:
            self._silent = tag
        if tag == "h2":
            self._section = ""
            self._heading = []
        anchor = dict(attrs).get("id")
        if tag == "section" and anchor:
            self._section = anchor
            self.words[anchor], self._heading = self._heading or [], None

    def handle_endtag(self, tag: str) -> None:
        if tag == self._silent:
            self._silent = ""

    def handle_data(self, data: str) -> None:
        if self._heading is not None:
            self._heading += data.split()
        elif self._section and not self._silent:
            self.words[self._section] += data.split()


def read_sections(page: str) -> dict[str, str]:
    """Return the text of each section of an HTML page, by its anchor."""
    reader = _Reader()
    reader.feed(page)
    return {anchor: " ".join(words) for anchor, words in reader.words.items()}

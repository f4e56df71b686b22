"""The words of each section of a page."""

from html.parser import HTMLParser

_SILENT = ("script", "style", "svg")


class _Reader(HTMLParser):
    """Collects what stands below each heading that has an anchor, plots aside."""

    def __init__(self) -> None:
        super().__init__()
        self.words: dict[str, list[str]] = {}
        self._section, self._silent = "", ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not self._silent and tag in _SILENT:
            self._silent = tag
        if tag == "h2":
            self._section = dict(attrs).get("id") or ""
            self.words[self._section] = []

    def handle_endtag(self, tag: str) -> None:
        if tag == self._silent:
            self._silent = ""

    def handle_data(self, data: str) -> None:
        if self._section and not self._silent:
            self.words[self._section] += data.split()


def read_sections(page: str) -> dict[str, str]:
    """Give the words of each section of an HTML page, by the anchor of its heading."""
    reader = _Reader()
    reader.feed(page)
    return {anchor: " ".join(words) for anchor, words in reader.words.items()}

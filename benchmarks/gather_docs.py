"""Gather the sources of the documentation's site in build/docs: `make docs` builds it from there.

Documents and files outside of docs/ that the documentation links to become a part of it, so that no link leads nowhere.
"""

import re
import shutil
from pathlib import Path, PurePosixPath

PROJECT = Path(__file__).parents[1]
GATHERED = PROJECT / "build" / "docs"
# Documents beside docs/, by what they are called in it.
PAGES = {"README.md": "leukoscope.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
_LINK = re.compile(r"(\]\()([^)\s#:]+)(#[^)\s]*)?(\))")
# GitHub begins a list right below a paragraph, Python-Markdown only after an empty line.
_LIST = re.compile(r"^(?![-*|>\s#]|\d+\.)(.+)\n(?=(?:- |\d+\. ))", re.MULTILINE)
_CODE = re.compile(r"(^ *```.*?^ *```)", re.DOTALL | re.MULTILINE)


def gather(place: Path = GATHERED) -> None:
    """Write the sources of the site.

    Args:
        place: Their folder, which is made anew.
    """
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(PROJECT / "docs", place)
    linked: set[str] = set()
    for name in [*PAGES, *(path.relative_to(PROJECT).as_posix() for path in sorted((PROJECT / "docs").rglob("*.md")))]:
        text, others = rewrite((PROJECT / name).read_text("utf-8"), PurePosixPath(name).parent)
        linked |= others
        (place / PAGES.get(name, name.removeprefix("docs/"))).write_text(text, encoding="utf-8")
    for name in sorted(name for name in linked if (PROJECT / name).is_file()):
        copy = place / "files" / f"{name}.txt"
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PROJECT / name, copy)


def rewrite(text: str, folder: PurePosixPath) -> tuple[str, set[str]]:
    """Write a document as the site needs it.

    Args:
        text: In Markdown, as GitHub reads it.
        folder: Where it is, from the project's folder.

    Returns:
        It, and the files outside of docs/ to which it links.
    """
    parts = _CODE.split(text)
    linked: set[str] = set()

    def write(link: re.Match[str]) -> str:
        path = _resolve(folder, link[2])
        if path.startswith("docs/"):
            target = link[2] if folder.parts else path.removeprefix("docs/")
        else:
            linked.update({path} - set(PAGES))
            target = "../" * max(len(folder.parts) - 1, 0) + PAGES.get(path, f"files/{path}.txt")
        return f"{link[1]}{target}{link[3] or ''}{link[4]}"

    parts[::2] = [_LIST.sub(r"\1\n\n", _LINK.sub(write, part)) for part in parts[::2]]
    return "".join(parts), linked


def _resolve(folder: PurePosixPath, link: str) -> str:
    """Give the path from the project's folder that a link leads to."""
    parts: list[str] = []
    for part in (folder / link).parts:
        parts = parts[:-1] if part == ".." else [*parts, part]
    return "/".join(parts)


if __name__ == "__main__":
    gather()

"""The generated reference pages of the documentation, from the configuration, and the table of architectures.

``python -m leukoscope.reporting.reference docs`` rewrites them.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from leukoscope.models import architecture

ARCHITECTURES = "architectures.md"
PAGES = ("reference_parameters.md", "reference_tables.md")
_KEY = re.compile(r"^( *)([a-z_0-9]+):(?: +(.*))?$")
_TABLE = re.compile(r"(?<=<!-- architectures -->\n).*?(?=<!-- end -->)", re.DOTALL)
_COLUMNS = ["name", "title", "input size", "smallest input", "batch size", "dropout", "parameters"]
_COLUMNS += ["blocks to train from", "paper"]
_WRITTEN = "<!-- written by `python -m leukoscope.reporting.reference docs` -->\n"


class Parameter(NamedTuple):
    """A parameter: its dotted name, its default as written, and the comment above it."""

    name: str
    default: str
    comment: str


def write_page(page: str, base: Path) -> str:
    """Generate a page.

    Args:
        page: One of ``PAGES``.
        base: The folder of the base configuration.

    Returns:
        The page in Markdown.
    """
    return _write_parameters(base) if page == PAGES[0] else _write_tables(base)


def write_architectures(text: str) -> str:
    """Rewrite the table of architectures, between ``<!-- architectures -->`` and ``<!-- end -->``.

    Args:
        text: The page that contains it.
    """
    rows = [_write_architecture(name, architecture.get(name)) for name in architecture.list_names()]
    table = "\n".join([_write_row(_COLUMNS), "|---" * len(_COLUMNS) + "|", *rows]) + "\n"
    return _TABLE.sub(lambda _: table, text)


def _write_architecture(name: str, row: architecture.Architecture) -> str:
    sizes = (row.input_size, row.smallest_input, row.batch_size, row.dropout)
    blocks = ", ".join(f"`{block}`" for block in row.blocks)
    return _write_row((f"`{name}`", row.title, *map(str, sizes), f"{row.parameters:,}", blocks, row.origin))


def _write_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def read_parameters(text: str) -> Iterator[Parameter]:
    """Read the parameters of a file, each with the comment directly above it.

    Args:
        text: Content of a parameter file.
    """
    above: list[tuple[int, str]] = []
    comment: list[str] = []
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            comment.append(line.strip(" #"))
        elif key := _KEY.match(line):
            depth = len(key[1])
            above = [(indent, name) for indent, name in above if indent < depth] + [(depth, key[2])]
            value, _, beside = (key[3] or "").partition("  #")
            yield Parameter(".".join(name for _, name in above), value.strip(), " ".join([*comment, beside.strip()]))
            comment = []
        else:
            comment = []


def _write_parameters(base: Path) -> str:
    lines = [
        "# All parameters\n",
        _WRITTEN,
        "As `conf/base` has them. [Parameters](parameters.md) says how to set them; where a row says nothing, the one "
        "above it does. Entries of `models` are in [kinds of models](kinds.md).\n",
    ]
    for path in sorted(base.glob("parameters*.yml")):
        if path.stem == "parameters_models":
            continue
        lines += [f"## `{path.name}`\n", "| parameter | default | what it is |", "|---|---|---|"]
        for name, default, comment in read_parameters(path.read_text("utf-8")):
            if default or comment.strip():
                lines.append(f"| `{name}` | {_as_code(default)} | {_escape(comment)} |")
        lines.append("")
    return "\n".join(lines)


def _write_tables(base: Path) -> str:
    lines = [
        "# Tables and their columns\n",
        _WRITTEN,
        "The data sets that a run leaves in files, `data/` being the folder of the environment. Of tables, the columns "
        "on which other steps rely, for want of which a file of another version is refused; of JSON files, the "
        "entries. `Also` names what else tables have, what it is, and what brings it where not every run does; a `*` "
        "stands for the rest of a name. JSON files may have more. [What is in data/](data.md) goes by folders, and "
        "[what the figures mean](figures.md) explains metrics.\n",
    ]
    for path in sorted(base.glob("catalog_*.yml")):
        rows = [row for name, entry in _read_catalog(path).items() for row in _write_entry(name, entry)]
        if rows:
            lines += [f"## {path.stem.removeprefix('catalog_').replace('_', ' ').capitalize()}\n"]
            lines += ["| data set | file | columns or entries |", "|---|---|---|", *rows, ""]
    return "\n".join(lines)


def _read_catalog(path: Path) -> Mapping[str, Any]:
    content = yaml.safe_load(path.read_text("utf-8"))
    return content if isinstance(content, dict) else {}


def _write_entry(name: str, entry: Mapping[str, Any]) -> Iterator[str]:
    while isinstance(entry.get("dataset"), dict) and "filepath" not in entry and "path" not in entry:
        entry = entry["dataset"]
    inner = entry["dataset"] if isinstance(entry.get("dataset"), dict) else entry
    place = str(entry.get("filepath") or f"{entry.get('path', '')}/*{entry.get('filename_suffix', '')}")
    if place.startswith("${globals:data}"):
        columns = ", ".join(f"`{column}`" for column in inner.get("requires", ()))
        others = "; ".join(f"`{column}`: {words}" for column, words in inner.get("optional", {}).items())
        columns += f". Also {others}" if others else ""
        yield f"| `{name}` | `{place.replace('${globals:data}', 'data')}` | {columns} |"


def _as_code(text: str) -> str:
    return f"`{text}`" if text else ""


def _escape(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().replace("|", "\\|").replace("<", "&lt;")


def main(folder: Path) -> None:
    """Write all generated pages, and the table of architectures.

    Args:
        folder: The documentation folder, next to the configuration.
    """
    for name in PAGES:
        (folder / name).write_text(write_page(name, folder.parent / "conf" / "base"), encoding="utf-8")
    page = folder / ARCHITECTURES
    page.write_text(write_architectures(page.read_text("utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())

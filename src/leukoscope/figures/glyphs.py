"""Names that no font here has letters for: in a picture they would be boxes."""

from collections.abc import Iterable
from functools import cache

from matplotlib import font_manager, rcParams
from matplotlib.ft2font import FT2Font

# Families with many scripts that systems have; whichever of them is installed stands in for missing letters.
_FALLBACKS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans CJK KR",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Droid Sans Fallback",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "PingFang SC",
    "Hiragino Sans",
    "Arial Unicode MS",
    "Noto Sans Devanagari",
    "Noto Sans Symbols 2",
    "Segoe UI Symbol",
)


@cache
def list_families() -> tuple[str, ...]:
    """List the families to draw names with, Matplotlib's own first."""
    installed = set(font_manager.fontManager.get_font_names())
    return (*rcParams["font.sans-serif"][:1], *(name for name in _FALLBACKS if name in installed))


@cache
def _load(family: str) -> FT2Font:
    return FT2Font(font_manager.findfont(family))


def can_be_drawn(text: str) -> bool:
    """Tell whether fonts here have all letters of a text."""
    fonts = [_load(family) for family in list_families()]
    return all(any(font.get_char_index(ord(letter)) for font in fonts) for letter in text if not letter.isspace())


def name_plainly(names: Iterable[str], what: str) -> dict[str, str]:
    """Give each name that cannot be drawn another one, by its number among all.

    Args:
        names: All of them, in the order in which they are numbered from 1.
        what: They name, such as ``reader``.

    Returns:
        For names that cannot be drawn alone, what to write in their place.
    """
    return {name: f"{what} {number}" for number, name in enumerate(names, start=1) if not can_be_drawn(name)}


def describe_plainly(plain: dict[str, str]) -> str:
    """Say whom numbers stand for: the letters by their code points, in lines; nothing where there is none."""
    return "\n".join(f"{plain_name}: {_escape(name)}" for name, plain_name in plain.items())


def _escape(name: str) -> str:
    return "".join(letter if can_be_drawn(letter) else f"<U+{ord(letter):04X}>" for letter in name)

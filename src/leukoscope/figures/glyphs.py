"""Replace names whose characters are missing from the installed fonts, and would be drawn as boxes."""

from collections.abc import Iterable
from functools import cache

from matplotlib import font_manager, rcParams
from matplotlib.ft2font import FT2Font

# Common system font families with many scripts; the installed ones provide missing characters.
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
    """List the font families for names, Matplotlib's default first."""
    installed = set(font_manager.fontManager.get_font_names())
    return (*rcParams["font.sans-serif"][:1], *(name for name in _FALLBACKS if name in installed))


@cache
def _load(family: str) -> FT2Font:
    return FT2Font(font_manager.findfont(family))


def can_be_drawn(text: str) -> bool:
    """Check whether the installed fonts have all characters of a text."""
    fonts = [_load(family) for family in list_families()]
    return all(any(font.get_char_index(ord(letter)) for font in fonts) for letter in text if not letter.isspace())


def name_plainly(names: Iterable[str], what: str) -> dict[str, str]:
    """Replace each name that cannot be drawn by its number among all names.

    Args:
        names: All names, in the order in which they are numbered, starting at 1.
        what: What they name, such as ``reader``.

    Returns:
        A replacement for each name that cannot be drawn; other names are left out.
    """
    return {name: f"{what} {number}" for number, name in enumerate(names, start=1) if not can_be_drawn(name)}


def describe_plainly(plain: dict[str, str]) -> str:
    """Explain the replacements, one per line, with undrawable characters as code points; empty if there are none."""
    return "\n".join(f"{plain_name}: {_escape(name)}" for name, plain_name in plain.items())


def _escape(name: str) -> str:
    return "".join(letter if can_be_drawn(letter) else f"<U+{ord(letter):04X}>" for letter in name)

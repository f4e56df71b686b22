"""Render the HTML that the review page shows and exports."""

import io
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import jinja2
from markupsafe import Markup
from PIL import Image

import leukoscope
from leukoscope.app.read_image import ReadImage
from leukoscope.app.session import Session
from leukoscope.reporting.html import make_environment, to_data_uri

if TYPE_CHECKING:
    from leukoscope.reader.second_reader import SecondReader

# Headings of a model card are two levels below those of the page.
_LOWER = 2


class About(NamedTuple):
    """The description of a reader for reviewers.

    Attributes:
        title: Title of its model.
        class_names: The classes, in the order of the probabilities.
        benign_class: The benign class.
        threshold: The reader abstains if no class has at least this probability.
        ood_limit: The reader also abstains on fields with an out-of-distribution score above this.
        unsure: The wording of the former reason to abstain.
        unpromised: The wording if it always abstains, since no error rate can be promised.
        rests_on: The beginning of the reason if another stain, light or camera flips a prediction.
        target_error: The share of wrong predictions that is promised, or was intended.
        error_bound: Its upper bound from the validation images; ``None`` if they do not demonstrate the target.
        origin: ``model``, ``model_fingerprint`` and ``data``: its name, its fingerprint and that of its images.
        card: Its model card as HTML, if there is one.
        trained_on: Whether it learned from drawn images, for a table's column.
        warning: The warning to show first, if it did.
    """

    title: str
    class_names: tuple[str, ...]
    benign_class: str
    threshold: float
    ood_limit: float
    unsure: str
    unpromised: str
    rests_on: str
    target_error: float
    error_bound: float | None
    origin: dict[str, str]
    card: Markup | None
    trained_on: str
    warning: str | None


def describe_reader(reader: "SecondReader", card: str | None) -> About:
    """Describe a reader; ``card`` is in Markdown."""
    from leukoscope.evaluation.certificate import RESTS_ON
    from leukoscope.evaluation.trust import UNPROMISED, UNSURE

    return About(
        title=reader.title,
        class_names=reader.class_names,
        benign_class=reader.benign_class,
        threshold=reader.calibration.threshold,
        ood_limit=reader.calibration.ood_limit,
        unsure=UNSURE,
        unpromised=UNPROMISED,
        rests_on=RESTS_ON,
        target_error=reader.calibration.target_error,
        error_bound=reader.calibration.error_bound,
        origin={
            "model": reader.model,
            "model_fingerprint": reader.classifier.fingerprint,
            "data": reader.data_fingerprint,
        },
        card=_render_markdown(card) if card else None,
        trained_on=reader.trained_on,
        warning=reader.warning,
    )


def render_part(name: str, *arguments: Any) -> str:
    """Render one of the parts shared by the page and its exports."""
    return get_part(name)(*arguments)


def get_part(name: str) -> Callable[..., Markup]:
    """Return the function that renders one of these parts."""
    return getattr(_environment().get_template("parts.html").module, name)


def render_control(name: str, *arguments: Any) -> str:
    """Render one of the controls of the page."""
    return getattr(_environment().get_template("controls.html").module, name)(*arguments)


def render_style() -> str:
    """Render the style sheet of the page."""
    return "".join(_environment().get_template(name).render() for name in ("look.css", "page.css"))


def render_export(session: Session, about: About, opacity: float) -> str:
    """Render a session as a single self-contained, printable file.

    Args:
        session: The session.
        about: The description of the reader.
        opacity: Opacity of the overlays.
    """
    return (
        _environment()
        .get_template("export.html")
        .render(
            images=list(session.images.values()),
            reviews=session.reviews,
            blinding=session.blinding,
            about=about,
            blend=lambda image, method: blend(image, method, opacity),
            neighbour_uri=lambda number, page: to_data_uri(page.picture, "png"),
            cell_uri=lambda cell: to_data_uri(cell.picture, "png"),
            exported_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
            version=leukoscope.__version__,
        )
    )


def blend(image: ReadImage, method: str, opacity: float) -> bytes:
    """Blend one of an image's maps with its picture into a JPEG file."""
    picture = Image.open(io.BytesIO(image.picture)).convert("RGBA")
    heat = Image.open(io.BytesIO(image.maps[method])).resize(picture.size, Image.Resampling.BICUBIC)
    heat.putalpha(heat.getchannel("A").point(lambda strength: round(strength * opacity)))
    picture.alpha_composite(heat)
    content = io.BytesIO()
    picture.convert("RGB").save(content, "JPEG", quality=90)
    return content.getvalue()


@cache
def _environment() -> jinja2.Environment:
    environment = make_environment("app/templates")
    environment.filters |= {"percent": format_percent, "data_uri": to_data_uri}
    return environment


def format_percent(share: float) -> str:
    """Format a share as a percentage, never rounding an uncertain value to certainty."""
    if share > 0.999:
        return "above 99.9 %"
    return "below 0.1 %" if share < 0.001 else f"{100 * share:.1f} %"


def describe_without(image: ReadImage, struck: Sequence[int], chances: Mapping[str, float]) -> str:
    """Describe how a prediction changes without some of the cells.

    Args:
        image: The image, as read with all cells.
        struck: The numbers of the cells that were left out.
        chances: The calibrated probabilities without them.
    """
    cells = f"cell{'s' if len(struck) > 1 else ''} {', '.join(map(str, struck))}"
    likeliest = max(chances, key=lambda name: chances[name])
    if likeliest == image.likeliest:
        before = format_percent(image.probabilities[likeliest])
        return f"Without {cells} it stays {likeliest}, with {format_percent(chances[likeliest])} instead of {before}."
    return (
        f"Without {cells} the likeliest class is {likeliest}, with {format_percent(chances[likeliest])}, and no longer "
        f"{image.likeliest}, which has {format_percent(chances[image.likeliest])}."
    )


def _render_markdown(text: str) -> Markup:
    """Render Markdown, leaving out any HTML in it."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + _LOWER)}"
    return Markup(parser.renderer.render(tokens, parser.options, {}))

"""ICC profiles: which colours the pixel values of a file represent."""

import io
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms

_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
_NEAR = 3  # of 255: how much sRGB profiles by different makers differ
_STEPS = 9
_LARGEST = 16 * 2**20  # bytes: some printer profiles have a few million
_KEPT = 8  # number of prepared profiles in the cache, each with its bytes


class _Conversion(NamedTuple):
    """A conversion from a profile to sRGB.

    Attributes:
        transform: The transform; ``None`` if the colours are left unchanged.
        note: A note for the manifest, if any.
    """

    transform: ImageCms.ImageCmsTransform | None
    note: str | None


def to_srgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, str | None]:
    """Convert an image to sRGB according to its ICC profile.

    Args:
        image: An image of 8 bits a channel, in mode L, RGB, CMYK or LAB.
        profile: The profile's content, if the file has one. An sRGB profile changes nothing.

    Returns:
        The image in mode RGB, and a note if colours were converted or a profile could not be used.
    """
    if image.mode == "LAB":
        return _from_lab(image), "colours converted to sRGB from Lab"
    conversion = _Conversion(None, None)
    if profile and len(profile) > _LARGEST:
        conversion = _Conversion(None, f"its ICC profile has {len(profile):,} bytes: colours are taken for sRGB")
    elif profile:
        if image.mode == "RGB" and _read_space(profile) == "GRAY":
            image = image.convert("L")
        conversion = _prepare(profile, image.mode)
    elif image.mode == "CMYK":
        conversion = _Conversion(None, "CMYK without an ICC profile: its colours are a guess")
    if conversion.transform is not None:
        return ImageCms.applyTransform(image, conversion.transform) or image, conversion.note
    return image if image.mode == "RGB" else image.convert("RGB"), conversion.note


def _from_lab(image: Image.Image) -> Image.Image:
    profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.profileToProfile(image, *profiles, outputMode="RGB") or image


@lru_cache(maxsize=_KEPT)
def _read_space(profile: bytes) -> str | None:
    try:
        return _open(profile).profile.xcolor_space.strip()
    except (OSError, ImageCms.PyCMSError, ValueError, TypeError):
        return None


def _open(profile: bytes) -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(io.BytesIO(profile))


@lru_cache(maxsize=_KEPT)
def _prepare(profile: bytes, mode: str) -> _Conversion:
    space = _read_space(profile)
    if space is None:
        return _Conversion(None, "its ICC profile is damaged: colours are taken for sRGB")
    if _MODES.get(space) != mode:
        return _Conversion(None, f"its ICC profile is of {space}, not of {mode}: colours are taken for sRGB")
    try:
        source = _open(profile)
        name = ImageCms.getProfileDescription(source).strip() or "without a name"
        # The default intent is perceptual; the colorimetric one keeps white unchanged.
        intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
        target = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(source, target, mode, "RGB", renderingIntent=intent)
    except (OSError, ImageCms.PyCMSError, ValueError, TypeError) as error:
        return _Conversion(None, f"its ICC profile cannot be used ({error}): colours are taken for sRGB")
    if _is_near(transform, mode):
        return _Conversion(None, None)
    return _Conversion(transform, f"colours converted to sRGB from the ICC profile {name}")


def _is_near(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Check that a conversion changes no colour by more than sRGB profiles differ from each other."""
    if mode == "CMYK":
        return False
    steps = np.linspace(0, 255, _STEPS).astype(np.uint8)
    colours = steps[None] if mode == "L" else np.stack(np.meshgrid(steps, steps, steps), -1).reshape(1, -1, 3)
    before = Image.fromarray(colours)
    after = ImageCms.applyTransform(before, transform)
    change = np.asarray(after).astype(int) - np.asarray(before.convert("RGB"))
    return bool(np.abs(change).max() <= _NEAR)

"""Print to read."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont


def typeset(
    text: str,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
    margin: int,
    *,
    paper: int = 255,
    ink: int = 0,
) -> Image.Image:
    """A text on paper that reaches `margin` pixels beyond its ink."""
    left, top, right, bottom = font.getbbox(text)
    image = Image.new("L", (int(right - left) + 2 * margin, int(bottom - top) + 2 * margin), paper)
    ImageDraw.Draw(image).text((margin - left, margin - top), text, ink, font)
    return image

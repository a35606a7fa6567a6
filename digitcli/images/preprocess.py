"""Any picture to 28x28 in MNIST's convention.

MNIST was made from black-and-white scans: the digit was cut out, scaled with anti-aliasing so that it just
fits in 20x20 pixels, and placed in a 28x28 field with its centre of mass in the middle
(LeCun et al., "Gradient-based learning applied to document recognition", 1998, section III.A).
The steps here do the same, in that order; each takes and returns light ink on black.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 28
BOX = 20

FAINTEST_INK = 20
"""The least contrast, of 255, that counts as ink; less is the paper's own texture."""

_WORKING_SIDE = (
    1024  # larger pictures are reduced towards this first: it costs no detail that 20x20 could hold
)


def to_mnist(image: Image.Image) -> NDArray[np.uint8]:
    """A picture of one digit as MNIST would show it; all zero if it holds no ink.

    image: mode L or RGB, of any size; paper is the colour of its border, ink whatever differs from it.
    Returns (28, 28) uint8, 0 paper to 255 ink. What is in MNIST's form already comes back unchanged, and
    its negative as the positive.
    """
    ink = to_ink_on_black(image)
    if is_in_mnist_form(ink):
        return ink
    digit = cut_out(ink)
    if not digit.size:
        return np.zeros((SIDE, SIDE), np.uint8)
    return centre_by_mass(fit_in_20x20(digit))


def to_ink_on_black(image: Image.Image) -> NDArray[np.uint8]:
    """How far each pixel differs from the paper: (height, width) uint8, 0 paper to 255 ink.

    The paper's colour is the median of the border. Ink may be darker or lighter than it, not both: the side
    with the greater contrast wins. The greatest difference of the three channels counts, so that yellow on
    white and blue on black are ink like any other. What varies along the border is taken for noise.
    """
    image = image.reduce(max(1, max(image.size) // _WORKING_SIDE))
    pixels = np.atleast_3d(np.asarray(image)).astype(np.int16)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    paper = np.median(border, axis=0).astype(np.int16)
    darker = (paper - pixels).max(axis=2)
    lighter = (pixels - paper).max(axis=2)
    ink = darker if darker.max() >= lighter.max() else lighter
    # Three times the median deviation is two standard deviations of Gaussian noise. A shadow along the border
    # gives more; then half the contrast is left to the ink.
    noise = min(int(3 * np.median(np.abs(border - paper).max(axis=1))), int(ink.max()) // 2)
    clean: NDArray[np.uint8] = (ink - noise).clip(0, 255).astype(np.uint8)
    return clean


def is_in_mnist_form(ink: NDArray[np.uint8]) -> bool:
    """Whether light ink on black (height, width) uint8 is as MNIST's own pictures are.

    They are 28x28, saturated, 19 or 20 pixels on the longer side, and their centre of mass lies in the pixel
    right below the middle; a pixel more is allowed. True of 99.99 % of the 60,000 training pictures.
    """
    if ink.shape != (SIDE, SIDE) or ink.max() < 200:
        return False
    height, width = cut_out(ink, threshold=32).shape
    centre = np.floor(_centre_of_mass(ink))
    return max(height, width) in (BOX - 1, BOX) and bool(np.abs(centre - SIDE // 2).max() <= 1)


def cut_out(ink: NDArray[np.uint8], threshold: int | None = None) -> NDArray[np.uint8]:
    """The part of light ink on black that holds the ink; of size 0 if there is none.

    threshold: ink is what exceeds it. If None, half of Otsu's (1979), so that the soft edges of the strokes
    stay in, but no less than a quarter of the strongest ink: where ink is only a few of very many pixels,
    Otsu's splits the noise of the paper.
    """
    strongest = int(ink.max())
    if strongest < FAINTEST_INK:
        return ink[:0, :0]
    if threshold is None:
        threshold = max(_otsu(ink) // 2, strongest // 4)
    rows = np.flatnonzero((ink > threshold).any(axis=1))
    columns = np.flatnonzero((ink > threshold).any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def fit_in_20x20(digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Scaled with anti-aliasing so that the longer side is 20 pixels, and the strongest ink 255."""
    height, width = digit.shape
    scale = BOX / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # In floating point, so that hair-thin strokes of a large picture do not round to nothing.
    fitted = np.asarray(Image.fromarray(digit.astype(np.float32)).resize(size, Image.Resampling.HAMMING))
    stretched: NDArray[np.uint8] = (fitted * (255 / fitted.max())).round().astype(np.uint8)
    return stretched


def centre_by_mass(digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """At most 28x28, placed in 28x28 so that the centre of mass is in pixel (14, 14), as MNIST has it."""
    room = SIDE - np.array(digit.shape)
    top, left = np.clip(SIDE // 2 - np.floor(_centre_of_mass(digit)), 0, room).astype(int)
    field = np.zeros((SIDE, SIDE), np.uint8)
    field[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return field


def _centre_of_mass(ink: NDArray[np.uint8]) -> NDArray[np.float64]:
    mass = ink.astype(np.float64)
    rows = np.arange(ink.shape[0]) + 0.5
    columns = np.arange(ink.shape[1]) + 0.5
    centre: NDArray[np.float64] = np.array([mass.sum(axis=1) @ rows, mass.sum(axis=0) @ columns]) / mass.sum()
    return centre


def _otsu(ink: NDArray[np.uint8]) -> int:
    # The threshold that separates best, i.e. with the greatest variance between the two classes.
    counts = np.bincount(ink.ravel(), minlength=256).astype(np.float64)
    below = counts.cumsum()
    above = below[-1] - below
    sums = (counts * np.arange(256)).cumsum()
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return int(np.nan_to_num(between).argmax())

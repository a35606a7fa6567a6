"""Typefaces that lines are written in: those of handwriting, of many people and schools, and of print.

Matplotlib's are always there. The others are of npm's `@fontsource`, each under the Open Font License or
another that is as free, and are looked for in the folder $DIGITCLI_TYPEFACES, which `make typefaces` fills.
Without it, what is drawn is less varied: the line reader that comes with digitcli was trained with it.
"""

from __future__ import annotations

import os
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

FOLDER = "DIGITCLI_TYPEFACES"

_MATPLOTLIB = ("DejaVuSans", "DejaVuSerif", "STIXGeneral", "cmb10", "cmr10", "cmss10", "cmtt10")

_WRITTEN = """
aguafina-script allura annie-use-your-telescope architects-daughter arizonia bad-script ballet
beth-ellen bilbo borel cabin-sketch caveat caveat-brush cedarville-cursive chilanka clicker-script
comforter-brush comic-neue coming-soon cookie crafty-girls cute-font damion dancing-script
darumadrop-one dekko delius east-sea-dokdo edu-au-vic-wa-nt-hand edu-au-vic-wa-nt-pre
edu-nsw-act-foundation edu-qld-beginner edu-sa-beginner edu-tas-beginner felipa
fuzzy-bubbles gaegu gamja-flower give-you-glory gloria-hallelujah gochi-hand gowun-dodum grape-nuts
great-vibes hachi-maru-pop handlee herr-von-muellerhoff hi-melody homemade-apple indie-flower
italianno itim jim-nightshade just-me-again-down-here kalam kaushan-script kavivanar klee-one
kristi league-script licorice liu-jian-mao-cao long-cang loved-by-the-king ma-shan-zheng mali
mansalva marck-script mea-culpa meddon merienda molle montez mr-bedfort mr-dafoe mr-de-haviland
mrs-saint-delafield ms-madi mynerve nanum-pen-script neucha niconne norican nothing-you-could-do
oooh-baby over-the-rainbow pacifico pangolin parisienne patrick-hand permanent-marker
petit-formal-script playpen-sans playwrite-ar playwrite-at playwrite-be-wal playwrite-br
playwrite-ca playwrite-cl playwrite-co playwrite-cu playwrite-cz playwrite-de-grund playwrite-de-sas
playwrite-dk-loopet playwrite-dk-uloopet playwrite-es playwrite-es-deco playwrite-fr-trad
playwrite-hr playwrite-hu playwrite-id playwrite-ie playwrite-in playwrite-is playwrite-it-moderna
playwrite-it-trad playwrite-mx playwrite-ng-modern playwrite-nl playwrite-no playwrite-nz
playwrite-pe playwrite-pl playwrite-pt playwrite-ro playwrite-sk playwrite-tz playwrite-us-modern
playwrite-us-trad playwrite-vn playwrite-za poor-story puppies-play qwigley rancho redressed
reenie-beanie rock-salt rouge-script ruge-boogie ruthie sacramento satisfy schoolbell seaweed-script
sedgwick-ave send-flowers shadows-into-light shadows-into-light-two short-stack single-day solitreo
square-peg sriracha stalemate sue-ellen-francisco sunshiney swanky-and-moo-moo tangerine
the-girl-next-door vibur vujahday-script waiting-for-the-sunrise walter-turncoat waterfall
yellowtail yomogi yuji-boku zen-kurenaido zeyada zhi-mang-xing
"""
_PRINTED = """
abril-fatface alfa-slab-one allerta-stencil anton archivo-narrow arimo arvo b612-mono barlow
barlow-condensed bebas-neue big-shoulders-display bitter black-ops-one bodoni-moda cabin cinzel
comfortaa cormorant courier-prime cousine crimson-text cutive-mono dosis exo-2 fira-mono fira-sans
goudy-bookletter-1911 ibm-plex-mono ibm-plex-sans im-fell-english inconsolata inter jetbrains-mono
josefin-sans karla kelly-slab lato libre-baskerville libre-bodoni libre-franklin major-mono-display
merriweather montserrat noto-sans nunito old-standard-tt open-sans orbitron oswald overpass-mono
oxygen playfair-display press-start-2p pt-sans pt-sans-narrow pt-serif quicksand rajdhani raleway
roboto roboto-condensed roboto-mono roboto-slab rubik russo-one saira-condensed source-sans-3
space-mono special-elite stardos-stencil teko tinos titillium-web tomorrow ubuntu vt323 wallpoet
work-sans
"""

_SIZE = 88
_PAGE, _ORIGIN = (460, 300), (140, 190)
_DIGITS = "0123456789"


def faces() -> list[Path]:
    """The font files that Matplotlib brings along, in the order of their names."""
    import matplotlib

    folder = Path(matplotlib.get_data_path(), "fonts", "ttf")
    return sorted(
        path
        for path in folder.glob("*.ttf")
        if path.name.startswith(_MATPLOTLIB) and "Display" not in path.name
    )


@cache
def written() -> list[str]:
    """Files of typefaces that were made from somebody's handwriting, or for schools; some for each family."""
    return _files(_WRITTEN.split())


@cache
def printed() -> list[str]:
    """Files of typefaces for print and screens."""
    return [*map(str, faces()), *_files(_PRINTED.split())]


@lru_cache(30_000)
def drawn(face: str, text: str) -> tuple[NDArray[np.uint8], int] | None:
    """The ink of a sign, 0-255, cut out, and the row above the line at which it begins.

    None if the typeface has no such sign.
    """
    font = _font(face)
    ink = _ink(font, text)
    if not ink.any() or np.array_equal(ink, _ink(font, "\uffff")):
        return None
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return cut, int(rows[0]) - _ORIGIN[1]


@cache
def height(face: str) -> float:
    """Pixels of a digit of the face, as `drawn`."""
    tall = [each[0].shape[0] for digit in _DIGITS if (each := drawn(face, digit))]
    return float(np.median(tall))


def packages() -> list[str]:
    """What npm calls them all, as of their fifth version."""
    return [f"@fontsource/{family}@5" for family in (*_WRITTEN.split(), *_PRINTED.split())]


def _files(families: list[str]) -> list[str]:
    root = os.environ.get(FOLDER)
    if not root:
        return []
    found = []
    for family in families:
        folder = Path(root, "node_modules", "@fontsource", family, "files")
        found += sorted(str(path) for path in folder.glob(f"{family}-latin-[0-9]*-normal.woff2"))
    return found


@lru_cache(700)
def _font(face: str) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(face, _SIZE)


def _ink(font: ImageFont.FreeTypeFont, text: str) -> NDArray[np.uint8]:
    page = Image.new("L", _PAGE)
    ImageDraw.Draw(page).text(_ORIGIN, text, 255, font, anchor="ls")
    return np.asarray(page)

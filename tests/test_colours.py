"""The colours of both themes can be read and told apart, also by people who see fewer colours."""

import re
from itertools import combinations
from typing import NamedTuple

import pytest

from tests.variables import ROOT

TOKENS = (ROOT / "batchapp/static/batchapp/css/tokens.css").read_text()
THEMES = ("light", "dark")
TEXT_ON = [
    *[(text, back) for text in ("text", "quiet", "accent") for back in ("page", "card", "sunken")],
    *[(tone, back) for tone in ("good", "bad", "warn", "busy") for back in ("card", "page")],
    *[(tone, f"{tone}-back") for tone in ("good", "bad", "warn", "busy")],
    *[("accent", "accent-back"), ("text", "accent-back"), ("text", "warn-back")],
    *[("on-accent", "accent-solid"), ("on-accent", "danger-solid")],
]
BARS = ["good-bar", "bad-bar", "warn-bar", "rest-bar"]
SERIES = [f"series-{number}" for number in range(1, 7)]
MARKS = [*SERIES, *[f"mark-{number}" for number in (7, 8, 9)]]
LEAST_DISTANCE = 15  # CIE 1976; 2.3 is just noticeable side by side, bars are far apart and small

# What an eye without one of its three cones sees of linear RGB, at full severity.
# Source: Machado, Oliveira, Fernandes, "A Physiologically-based Model for Simulation of Color
# Vision Deficiency", IEEE TVCG 15(6), 2009, table of matrices.
EYES = {
    "all three cones": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
# CIE XYZ of linear sRGB. Source: IEC 61966-2-1.
XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
WHITE = (0.95047, 1.0, 1.08883)


class Colour(NamedTuple):
    """Three coordinates: linear RGB, XYZ or L*a*b*."""

    first: float
    second: float
    third: float

    def through(self, matrix: tuple[tuple[float, float, float], ...]) -> "Colour":
        return Colour(
            *(sum(a * b for a, b in zip(row, self, strict=True)) for row in matrix)  # type: ignore[arg-type]
        )


def colour(name: str, theme: str) -> Colour:
    """Return the linear RGB of a token."""
    match = re.search(rf"--{name}: (?:light-dark\((#\w+), (#\w+)\)|(#\w+));", TOKENS)
    assert match, f"--{name} is no plain colour in tokens.css"
    text = match[3] or match[1 + THEMES.index(theme)]
    shares = [int(text[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    return Colour(
        *(
            share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
            for share in shares
        )
    )


def contrast(one: Colour, other: Colour) -> float:
    """Return the ratio of WCAG 2.2, from 1 to 21."""
    light, dark = sorted((each.through(XYZ).second for each in (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def lab(rgb: Colour) -> Colour:
    """Return CIE L*a*b*, in which distances are about those that people see."""
    clipped = Colour(*(min(1.0, max(0.0, share)) for share in rgb))
    x, y, z = (
        share ** (1 / 3) if share > 216 / 24389 else (24389 / 27 * share + 16) / 116
        for share in (a / b for a, b in zip(clipped.through(XYZ), WHITE, strict=True))
    )
    return Colour(116 * y - 16, 500 * (x - y), 200 * (y - z))


def distance(one: Colour, other: Colour) -> float:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5


@pytest.mark.parametrize("theme", THEMES)
def test_text_can_be_read_on_what_is_behind_it(theme: str) -> None:
    ratios = {pair: contrast(colour(pair[0], theme), colour(pair[1], theme)) for pair in TEXT_ON}

    assert {pair: round(ratio, 2) for pair, ratio in ratios.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("theme", THEMES)
def test_bars_stand_out_from_their_card_and_from_their_track(theme: str) -> None:
    pairs = [(bar, back) for bar in [*BARS, *SERIES] for back in ("card", "line")]
    ratios = {pair: contrast(colour(pair[0], theme), colour(pair[1], theme)) for pair in pairs}

    assert {pair: round(ratio, 2) for pair, ratio in ratios.items() if ratio < 3} == {}


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", [*SERIES, "series-other"])
def test_the_colours_of_charts_could_be_those_of_text(theme: str, name: str) -> None:
    assert contrast(colour(name, theme), colour("card", theme)) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", MARKS)
def test_the_initials_can_be_read_on_the_mark_of_a_project(theme: str, name: str) -> None:
    assert contrast(colour(name, theme), colour("on-series", theme)) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("eye", EYES)
def test_every_eye_can_tell_the_colours_of_a_chart_apart(theme: str, eye: str) -> None:
    """The hatched "others" are told from the six by their pattern."""
    seen = {name: lab(colour(name, theme).through(EYES[eye])) for name in SERIES}
    distances = {(a, b): distance(seen[a], seen[b]) for a, b in combinations(SERIES, 2)}

    near = {pair: round(each, 1) for pair, each in distances.items() if each < LEAST_DISTANCE}
    assert near == {}


def test_colours_that_some_eyes_confuse_are_noticed() -> None:
    red, green = Colour(0.4, 0.05, 0.05), Colour(0.12, 0.13, 0.05)

    assert distance(lab(red), lab(green)) > LEAST_DISTANCE
    assert distance(*(lab(each.through(EYES["deuteranopia"])) for each in (red, green))) < (
        LEAST_DISTANCE
    )


def test_black_and_white_have_the_known_contrast() -> None:
    assert contrast(Colour(0, 0, 0), Colour(1, 1, 1)) == pytest.approx(21, abs=0.01)

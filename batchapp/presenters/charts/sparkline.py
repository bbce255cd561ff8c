"""A small line without an axis, to stand beside a figure."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

WIDTH, HEIGHT = 120, 32  # pixels
MARGIN = 4  # pixels around the line, for the dot at its end


@dataclass(frozen=True, slots=True)
class Sparkline:
    """``points`` are those of an SVG polyline; the dot at ``x`` and ``y`` is the last value."""

    label: str
    points: str
    x: str
    y: str
    width: int = WIDTH
    height: int = HEIGHT


def sparkline(values: Sequence[Decimal], label: str) -> Sparkline:
    """Draw ``values``, of which there is at least one, from left to right."""
    values = [*values, *values] if len(values) == 1 else values  # a line has two ends
    highest = max(*values, Decimal(0)) or 1
    wide, high = WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN
    places = [
        (
            f"{MARGIN + Decimal(wide * number) / (len(values) - 1):.1f}",
            f"{MARGIN + high * (1 - max(value, Decimal(0)) / highest):.1f}",
        )
        for number, value in enumerate(values)
    ]
    return Sparkline(label, " ".join(f"{x},{y}" for x, y in places), *places[-1])

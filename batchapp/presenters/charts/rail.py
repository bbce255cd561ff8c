"""A range of amounts as a line, with the expected and the actual amount on it."""

from dataclasses import dataclass
from decimal import Decimal

from batchapp.templatetags.words import usd, usd_range

OPEN_END = Decimal("1.25")  # without a limit, the line goes on by a quarter behind the last mark
DOT = 6  # per cent of the width: a dot nearer to an end than this covers its mark
OUTSIDE = Decimal("0.55")  # share of the width that the range has if the cost is beyond it


@dataclass(frozen=True, slots=True)
class Rail:
    """A range with places in per cent of the width, "" for what is unknown.

    ``first`` and ``last`` are the texts at both ends, "no limit" where there is none. A cost
    beyond the range stands at its side instead, with a dot apart from the line; the end of the
    range that it is beyond is then ``passed``, at ``start`` or ``end``. ``ticks`` are the ends
    that are marked: those that are a limit, and not below a dot.
    """

    first: str
    last: str
    start: str
    end: str
    expected: str
    actual: str
    label: str
    ticks: list[str]
    passed: str = ""
    is_above: bool = False


def rail(
    low: Decimal,
    high: Decimal | None,
    *,
    expected: Decimal | None = None,
    actual: Decimal | None = None,
) -> Rail:
    """Draw the range from ``low`` to ``high``, which is None where there is no limit."""
    marks = [amount for amount in (expected, actual) if amount is not None]
    end = max([low, *marks]) * OPEN_END if high is None else high
    is_above = high is not None and actual is not None and actual > high
    is_below = actual is not None and actual < low
    width = OUTSIDE if is_above or is_below else Decimal(1)
    start = 1 - width if is_below else Decimal(0)

    def place(amount: Decimal | None) -> str:
        if amount is None:
            return ""
        share = (amount - low) / (end - low) if end > low else Decimal("0.5")
        return f"{100 * (start + width * min(max(share, Decimal(0)), Decimal(1))):.1f}"

    least, limit = (usd(low), "no limit") if high is None else usd_range(low, high)
    ends = f"{100 * start:.1f}", f"{100 * (start + width):.1f}"
    dots = place(expected), "100" if is_above else "0" if is_below else place(actual)
    return Rail(
        first=usd(actual) if is_below else f"least {least}",
        last=usd(actual) if is_above else limit if high is None else f"most {limit}",
        start=ends[0],
        end=ends[1],
        expected=dots[0],
        actual=dots[1],
        label=_label(least, None if high is None else limit, expected, actual),
        ticks=[
            at
            for at in (ends if high is not None else ends[:1])
            if not any(dot and abs(float(dot) - float(at)) < DOT for dot in dots)
        ],
        passed=limit if is_above else least if is_below else "",
        is_above=is_above,
    )


def _label(least: str, limit: str | None, expected: Decimal | None, actual: Decimal | None) -> str:
    texts = [f"from {least} {'without a limit' if limit is None else f'to {limit}'}"]
    if expected is not None:
        texts.append(f"expected {usd(expected)}")
    if actual is not None:
        texts.append(f"cost {usd(actual)}")
    return ", ".join(texts)

"""A range of amounts as a line, with the expected and the actual amount on it."""

from dataclasses import dataclass
from decimal import Decimal

from batchapp.templatetags.words import usd, usd_range

OPEN_END = Decimal("1.25")  # without a limit, the line goes on by a quarter behind the last mark
DOT = 6  # per cent of the width: a dot nearer to an end than this covers its mark


@dataclass(frozen=True, slots=True)
class Rail:
    """A range with places in per cent of its line, "" for what is unknown.

    ``first`` and ``last`` are the texts at both ends, "no limit" where there is none. A cost
    ``below`` or ``above`` the range is not on the line but a text of its own, beyond that end;
    the other end then has no word, for there is little room.
    ``ticks`` are the ends that are marked: those that are a limit, and not below a dot.
    """

    first: str
    last: str
    expected: str
    actual: str
    label: str
    ticks: list[str]
    below: str = ""
    above: str = ""


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

    def place(amount: Decimal | None) -> str:
        if amount is None:
            return ""
        share = (amount - low) / (end - low) if end > low else Decimal("0.5")
        return f"{100 * min(max(share, Decimal(0)), Decimal(1)):.1f}"

    least, limit = (usd(low), "no limit") if high is None else usd_range(low, high)
    dots = place(expected), "" if is_above or is_below else place(actual)
    return Rail(
        first=least if is_above else f"least {least}",
        last=limit if high is None or is_below else f"most {limit}",
        expected=dots[0],
        actual=dots[1],
        label=_label(least, None if high is None else limit, expected, actual),
        ticks=[
            at
            for at in (("0", "100") if high is not None else ("0",))
            if not any(dot and abs(float(dot) - float(at)) < DOT for dot in dots)
        ],
        below=usd(actual) if is_below else "",
        above=usd(actual) if is_above else "",
    )


def _label(least: str, limit: str | None, expected: Decimal | None, actual: Decimal | None) -> str:
    texts = [f"from {least} {'without a limit' if limit is None else f'to {limit}'}"]
    if expected is not None:
        texts.append(f"expected {usd(expected)}")
    if actual is not None:
        texts.append(f"cost {usd(actual)}")
    return ", ".join(texts)

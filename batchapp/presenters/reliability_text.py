"""How reliably models answered, in words and shares."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from batchapp.domain import windows
from batchapp.services.reports.completion_times import CompletionTime
from batchapp.services.reports.reliability import Reliability
from batchapp.templatetags.words import count, decimal_length, usd, usd_in_column

# The name of a condition on batches, "" for all of them -> the address of those of a model.
Link = Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class Figure:
    """``more`` stands beside ``text``, and ``label`` before both where the column has no head."""

    label: str
    text: str
    more: str = ""
    title: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of one model, or of all; in the order of the columns."""

    line: Reliability
    name: str
    url: str
    figures: list[Figure]


@dataclass(frozen=True, slots=True)
class Time:
    """The times of one model in one window; ``used`` is the share of the window that they need."""

    model: str
    window: str
    batches: int
    mean: str
    median: str
    p90: str
    used: str
    is_late: bool


def rows(lines: Sequence[Reliability], link: Link) -> list[Row]:
    return [_row(line, line.model, link) for line in lines]


def total_row(total: Reliability, link: Link) -> Row:
    return _row(total, "All models", link)


def stats(total: Reliability) -> list[tuple[str, str, str]]:
    """Return label, value and explanation of each figure over all models."""
    return [
        (
            "Requests that failed",
            share_text(total.failed, total.counted),
            f"{total.failed:,} of {total.counted:,}",
        ),
        (
            "Batches that came late",
            share_text(total.late, total.batches),
            f"{total.late:,} of {total.batches:,}",
        ),
        (
            "Paid for answers cut short",
            _amount(total.cut_short_usd),
            count(total.cut_short, "answer"),
        ),
        ("Paid for retries", _amount(total.retries_usd), count(total.retries, "retry,retries")),
        (
            "Paid for equal requests",
            _amount(total.repeated_usd),
            count(total.repeated, "repeated request"),
        ),
    ]


def times_sentence(time: CompletionTime) -> str:
    """Return the time of one window, such as "24 h finished in 2.1 h on average: half of …"."""
    return (
        f"{windows.spaced(time.window)} finished in {decimal_length(time.mean)} on average: half "
        f"of {count(time.batches, 'batch,batches')} within {decimal_length(time.median)}, nine of "
        f"ten within {decimal_length(time.p90)}."
    )


def times(of_models: Sequence[CompletionTime]) -> list[Time]:
    return [
        Time(
            model=time.model,
            window=windows.spaced(time.window),
            batches=time.batches,
            mean=decimal_length(time.mean),
            median=decimal_length(time.median),
            p90=decimal_length(time.p90),
            used=_used(time.p90, windows.length(time.window)),
            is_late=_is_longer(time.p90, windows.length(time.window)),
        )
        for time in of_models
    ]


def share_text(part: int, whole: int) -> str:
    """Show a share, and never nothing or everything unless this is true: "< 0.1 %", "99.9 %"."""
    if not whole:
        return "\u2013"
    percent = 100 * part / whole
    if 0 < percent < 0.1:
        return "< 0.1 %"
    if 99.9 < percent < 100:
        return "> 99.9 %"
    is_whole = percent == round(percent)
    return f"{percent:.0f} %" if is_whole else f"{percent:.1f} %"


def _row(line: Reliability, name: str, link: Link) -> Row:
    model = line.model
    return Row(
        line=line,
        name=name,
        url=link(model, "") if model else "",
        figures=[
            Figure(
                "failed",
                share_text(line.failed, line.counted),
                title=f"{line.failed:,} of {count(line.counted, 'request')}",
                url=link(model, "failed") if line.failed else "",
            ),
            Figure(
                "late",
                share_text(line.late, line.batches),
                title=f"{line.late:,} of {count(line.batches, 'batch,batches')}",
                url=link(model, "late") if line.late else "",
            ),
            _waste("cut short", line.cut_short, line.cut_short_usd, link(model, "cut_short")),
            _waste("retries", line.retries, line.retries_usd, link(model, "retries")),
            _waste("repeated", line.repeated, line.repeated_usd, ""),
        ],
    )


def _waste(label: str, number: int, cost: Decimal | None, url: str) -> Figure:
    if not number:
        return Figure(label, "\u2013")
    return Figure(label, f"{number:,}", _amount(cost), title=usd(cost), url=url)


def _amount(cost: Decimal | None) -> str:
    return usd(None) if cost is None else usd_in_column(cost)


def _used(time: timedelta, window: timedelta | None) -> str:
    return f"{100 * (time / window):.0f} %" if window else ""


def _is_longer(time: timedelta, window: timedelta | None) -> bool:
    return window is not None and time > window

"""Show a date, a time or a duration as a sheet shows it, by the parts of its number format."""

import datetime
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SECONDS_PER_DAY = 86_400
MAX_SERIAL = 2_958_466  # the day after 9999-12-31, the last day that a sheet can show

MAX_DECIMALS = 3  # of a second; a sheet shows no more

Part = tuple[str, str]  # a kind and its characters, as ``number_formats`` splits a format


def show_date(serial: float, parts: Sequence[Part]) -> str | None:
    """Return the text of ``serial``, a count of days since 1900; None if a sheet shows none.

    Months and days of the week have their English names.
    """
    decimals = max((len(text) - 1 for kind, text in parts if kind == "fraction"), default=0)
    if decimals > MAX_DECIMALS or abs(serial) >= MAX_SERIAL:
        return None
    units = 10**decimals
    total = round(abs(serial) * SECONDS_PER_DAY * units)
    seconds, fraction = divmod(total, units)
    sign = ""
    if serial < 0:
        if not any(kind == "elapsed" for kind, _ in parts):
            return None
        sign = "-"
    day = day_of(seconds // SECONDS_PER_DAY)
    if day is None:
        return None
    has_noon = any(kind == "noon" for kind, _ in parts)
    moment = _Moment(day, seconds, f".{fraction:0{decimals}}", has_noon)
    return sign + "".join([_show_part(kind, text, moment) for kind, text in parts])


def iso_date(serial: float, *, has_date: bool, has_time: bool) -> str | None:
    """Return ``serial`` as ISO 8601 writes it, for formats that depend on a person's country."""
    seconds = round(serial * SECONDS_PER_DAY) if 0 <= serial < MAX_SERIAL else -1
    moment = day_of(seconds // SECONDS_PER_DAY)
    if moment is None:
        return None
    hours, rest = divmod(seconds % SECONDS_PER_DAY, 3600)
    time = f"{hours:02}:{rest // 60:02}:{rest % 60:02}"
    if not has_date:
        return time
    date = f"{moment[0]:04}-{moment[1]:02}-{moment[2]:02}"
    return f"{date}T{time}" if has_time and seconds % SECONDS_PER_DAY else date


@lru_cache(maxsize=4096)
def day_of(serial: int) -> tuple[int, int, int, int] | None:
    """Return year, month, day and day of the week (0 is Monday) of a whole serial.

    Day 0 is shown as 1900-01-00, and day 60 as 1900-02-29, which never was.
    """
    if not 0 <= serial < MAX_SERIAL:
        return None
    if serial == 0:
        return 1900, 1, 0, 5
    if serial == 60:
        return 1900, 2, 29, 2
    first = datetime.date(1899, 12, 30 if serial > 60 else 31)
    day = first + datetime.timedelta(days=serial)
    weekday = day.weekday() if serial > 60 else (day.weekday() - 1) % 7
    return day.year, day.month, day.day, weekday


def serial_of(text: str) -> float | None:
    """Return the serial of an ISO date, which some programs write into a cell as text."""
    try:
        moment = datetime.datetime.fromisoformat(text.removesuffix("Z"))
    except ValueError:
        return None
    since = moment.replace(tzinfo=None) - datetime.datetime(1899, 12, 30)  # noqa: DTZ001  # a cell knows no time zone
    return since / datetime.timedelta(days=1)


class _Moment(NamedTuple):
    """A moment to show; ``seconds`` are counted since day 0."""

    day: tuple[int, int, int, int]
    seconds: int
    fraction: str
    has_noon: bool


def _show_part(kind: str, text: str, moment: _Moment) -> str:
    show = SHOW.get(kind)
    return show(text, moment) if show else text


def _show_hour(text: str, moment: _Moment) -> str:
    hour = moment.seconds // 3600 % 24
    return f"{(hour + 11) % 12 + 1 if moment.has_noon else hour:0{len(text)}}"


def _show_noon(text: str, moment: _Moment) -> str:
    before, _, after = text.partition("/")
    return after if moment.seconds // 3600 % 24 >= 12 else before


def _show_year(text: str, moment: _Moment) -> str:
    return f"{moment.day[0] % 100:02}" if len(text) <= 2 else f"{moment.day[0]:04}"


def _show_elapsed(text: str, moment: _Moment) -> str:
    unit = {"h": 3600, "m": 60, "s": 1}[text[1].lower()]
    return f"{moment.seconds // unit:0{len(text) - 2}}"


def _name(name: str, number: str, width: int) -> str:
    """Return a month or a day as a number, or as its name: three letters, all, or the first."""
    if width <= 2:
        return number.zfill(width)
    return name[:3] if width == 3 else name[:1] if width == 5 else name


SHOW: dict[str, Callable[[str, _Moment], str]] = {
    "y": _show_year,
    "month": lambda text, moment: _name(MONTHS[moment.day[1] - 1], str(moment.day[1]), len(text)),
    "d": lambda text, moment: _name(DAYS[moment.day[3]], str(moment.day[2]), len(text)),
    "h": _show_hour,
    "minute": lambda text, moment: f"{moment.seconds // 60 % 60:0{len(text)}}",
    "s": lambda text, moment: f"{moment.seconds % 60:0{len(text)}}",
    "fraction": lambda _, moment: moment.fraction,
    "noon": _show_noon,
    "elapsed": _show_elapsed,
}

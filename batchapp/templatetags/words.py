"""Numbers, money, times and sizes as every page shows them."""

from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from batchapp.domain import windows

register = template.Library()

# The least amount in USD, and the decimals it is shown with; smaller amounts have six.
DECIMALS = [(Decimal("0.01"), 2), (Decimal("0.0001"), 4)]
SMALLEST = Decimal("0.000001")
SMALLEST_IN_COLUMN = Decimal("0.0001")  # the exact figure stands in the title of the cell
LONGEST_ALIKE = 9  # characters of the end of a range that is given more decimals
WHOLE_IN_COLUMN = 10_000  # from this amount on, a column leaves out the cents

LEAST_COUNTED = timedelta(seconds=55)  # shorter times are less than a minute


@register.filter
def usd(amount: Decimal | None) -> str:
    """Show an amount; small amounts keep significant digits, and unknown is not zero."""
    if amount is None:
        return "no price"
    if not amount:
        return "$0.00"
    sign, size = ("-" if amount < 0 else ""), abs(amount)
    if size < SMALLEST:
        return f"{sign}<${SMALLEST}"
    places = next((places for least, places in DECIMALS if size >= least), 6)
    return f"{sign}{_dollars(size, places)}"


def _dollars(amount: Decimal, places: int) -> str:
    return f"${amount.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP):,}"


def usd_range(low: Decimal, high: Decimal) -> tuple[str, str]:
    """Show both ends of a range, with as many decimals as the end that needs more.

    An end that would become too long to read keeps its own decimals, as zero does.
    """
    shown = usd(low), usd(high)
    places = max(len(text.partition(".")[2]) for text in shown)
    alike = [_dollars(amount, places) for amount in (low, high)]
    if not low or not high or "<" in shown[0] or len(alike[1]) > LONGEST_ALIKE:
        return shown
    return alike[0], alike[1]


@register.filter
def usd_like(amount: Decimal, other: Decimal) -> str:
    """Show ``amount`` with the decimals that it and ``other`` have beside each other."""
    if amount >= WHOLE_IN_COLUMN:
        return usd_in_column(amount)
    return usd_range(amount, other)[0]


@register.filter
def usd_in_column(amount: Decimal, sign: str = "") -> str:
    """Show an amount with ``sign`` before it in at most about ten characters.

    A very small amount is "<$0.0001", which needs no "~" but would not be true of a minimum. An
    amount from $10,000 on has no cents.
    """
    if 0 < amount < SMALLEST_IN_COLUMN and sign != "≥ ":
        return f"<${SMALLEST_IN_COLUMN}"
    if amount >= WHOLE_IN_COLUMN:
        return f"{sign}${amount.quantize(Decimal(1), rounding=ROUND_HALF_UP):,}"
    return f"{sign}{usd(amount)}"


@register.filter
def count(number: int, noun: str) -> str:
    """``3|count:"request"`` is "3 requests"; ``"entry,entries"`` gives an irregular plural."""
    singular, _, plural = noun.partition(",")
    return f"{number:,} {singular if number == 1 else plural or f'{singular}s'}"


@register.filter
def in_column(number: int) -> str:
    """Show a count, one of at least a million as "59.3 M"; the cell has all of it in its title."""
    for unit, power in (("B", 10**9), ("M", 10**6)):
        if number >= power:
            return f"{number / power:,.1f} {unit}"
    return f"{number:,}"


@register.filter
def size(number: int) -> str:
    """Show a number of bytes as file managers do."""
    if number < 1024:
        return count(number, "byte")
    amount, unit = number / 1024, "KiB"
    for larger in ("MiB", "GiB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{amount:,.1f} {unit}" if amount < 10 else f"{amount:,.0f} {unit}"


@register.simple_tag
def portal_zone() -> str:
    """Return the name of the time zone by whose days and months money is counted."""
    return timezone.get_default_timezone_name()


@register.filter
def ago(moment: datetime | None) -> SafeString | str:
    """Show how long ago a moment was, as ``<time>`` with the exact moment in its title."""
    if moment is None:
        return "never"
    local = timezone.localtime(moment)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        local.isoformat(timespec="seconds"),
        local.strftime("%-d %B %Y, %H:%M:%S %Z"),
        _relative(timezone.now() - moment, local.date()),
    )


@register.filter
def age(moment: datetime) -> SafeString:
    """Show ``ago`` in the few letters of a column: "47 min ago"."""
    local = timezone.localtime(moment)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        local.isoformat(timespec="seconds"),
        local.strftime("%-d %B %Y, %H:%M:%S %Z"),
        _short_age(timezone.now() - moment, local.date()),
    )


def _short_age(length: timedelta, day: date) -> str:
    if length >= timedelta(days=7):
        is_this_year = day.year == timezone.localdate().year
        return f"{day:%-d %b}" if is_this_year else f"{day:%b %Y}"
    return "just now" if length < LEAST_COUNTED else f"{short_length(length)} ago"


@register.filter
def clock(moment: datetime) -> SafeString:
    """Show a moment by its day and time: "tomorrow, 13:35"."""
    local = timezone.localtime(moment)
    day, today = local.date(), timezone.localdate()
    text = f"{day:%a %-d %b}" if day.year == today.year else f"{day:%-d %b %Y}"
    named = {today: "today", today + timedelta(days=1): "tomorrow"}.get(day, text)
    return format_html(
        '<time datetime="{}" title="{}">{}, {}</time>',
        local.isoformat(timespec="seconds"),
        local.strftime("%-d %B %Y, %H:%M:%S %Z"),
        named,
        f"{local:%H:%M}",
    )


@register.filter
def left(moment: datetime) -> str:
    """Show the time until ``moment``, which is ahead, in the few letters of a column: "3 h"."""
    return short_length(moment - timezone.now())


@register.filter
def window(name: str) -> str:
    """Show a completion window with a space before its unit: "24h" becomes "24 h"."""
    return windows.spaced(name)


def short_length(length: timedelta) -> str:
    """Show a length of time in the few letters of a column: "59 min"."""
    seconds = length.total_seconds()
    if seconds < 90 * 60:
        return f"{max(1, round(seconds / 60))} min"
    return f"{round(seconds / 3600)} h" if seconds < 36 * 3600 else f"{round(seconds / 86400)} d"


def decimal_length(length: timedelta) -> str:
    """Show a length of time with one decimal if that is short: "2.1 h", "12 min", "3 d"."""
    seconds = length.total_seconds()
    if seconds < 90 * 60:
        return f"{max(1, round(seconds / 60))} min"
    number, unit = (seconds / 3600, "h") if seconds < 36 * 3600 else (seconds / 86400, "d")
    return (
        f"{number:.1f}".removesuffix(".0") + f" {unit}" if number < 10 else f"{number:.0f} {unit}"
    )


def _relative(age: timedelta, day: date) -> str:
    seconds = round(age.total_seconds())
    for limit, unit, noun in [(60, 1, ""), (3600, 60, "minute"), (86400, 3600, "hour")]:
        if abs(seconds) < limit:
            if not noun:
                return "just now" if seconds >= 0 else "in a moment"
            return _with_direction(count(abs(seconds) // unit, noun), seconds)
    if abs(seconds) < 7 * 86400:
        return _with_direction(count(abs(seconds) // 86400, "day"), seconds)
    return f"{day:%-d %b %Y}"


def _with_direction(text: str, seconds: int) -> str:
    return f"{text} ago" if seconds >= 0 else f"in {text}"


def ago_or_in(moment: datetime) -> str:
    """Return the text of ``ago`` without markup, for a sentence."""
    return _relative(timezone.now() - moment, timezone.localtime(moment).date())


def roughly(length: timedelta) -> str:
    """Show an uncertain length of time: "about 12 minutes"."""
    text = in_round_units(length)
    return f"about {text}" if length >= LEAST_COUNTED else text


def in_round_units(length: timedelta) -> str:
    """Show a length of time in its largest unit alone: "12 minutes"."""
    unit, noun = _unit(length.total_seconds())
    number = round(length.total_seconds() / unit)
    return count(number, noun) if length >= LEAST_COUNTED else "less than a minute"


def roughly_between(least: timedelta, most: timedelta) -> str:
    """Show a range in the unit of its longer end: "about 12 to 25 minutes"."""
    unit, _ = _unit(most.total_seconds())
    first, last = (round(length.total_seconds() / unit) for length in (least, most))
    if most < LEAST_COUNTED or first == last:
        return roughly(most)
    return f"about {first} to {in_round_units(most)}" if first else f"up to {roughly(most)}"


def _unit(seconds: float) -> tuple[int, str]:
    if seconds < 90 * 60:
        return 60, "minute"
    return (3600, "hour") if seconds < 36 * 3600 else (86400, "day")


@register.filter
def span(length: timedelta | None) -> str:
    if length is None:
        return "unknown"
    seconds = max(0, round(length.total_seconds()))
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    if hours:
        return f"{hours:,} h {minutes} min"
    if minutes:
        return f"{minutes} min" if minutes >= 10 else f"{minutes} min {seconds % 60} s"
    return f"{seconds} s" if seconds else "under 1 s"


@register.filter
def answer_times(offered: object) -> str:
    """Return the completion windows of a connection as a sentence, "" if they are no list."""
    if not isinstance(offered, list) or not offered:
        return ""
    names = [windows.spaced(str(name)) for name in offered]
    return f"Answers within {' or '.join(names)}."


@register.filter
def short(model: str) -> str:
    """Return a model without its maker: "Qwen/Qwen3-14B" becomes "Qwen3-14B"."""
    return model.rsplit("/", 1)[-1]


@register.filter
def rate(price: Decimal) -> str:
    """Show a price per million tokens with all its decimals, and at least two."""
    plain = f"{price.normalize():f}"
    whole, _, decimals = plain.partition(".")
    return f"${int(whole):,}.{decimals.ljust(2, '0')}"

"""Show a number as a sheet shows it, by its number format: 2494 as 02494 by 00000.

No library does this exactly: of those tried, one drops the dots of 31.01.2025, one ignores text
in quotation marks, and one cannot be loaded any more. A format that is not known here gives None,
so that a table can say so.
"""

import re
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from batchapp.domain.tables.date_formats import Part, iso_date, show_date

GENERAL = "General"

# Formats that a workbook names by number alone. Source: ECMA-376, part 1, 18.8.30.
BUILT_IN = {
    0: GENERAL,
    1: "0",
    2: "0.00",
    3: "#,##0",
    4: "#,##0.00",
    9: "0%",
    10: "0.00%",
    11: "0.00E+00",
    12: "# ?/?",
    13: "# ??/??",
    15: "d-mmm-yy",
    16: "d-mmm",
    17: "mmm-yy",
    18: "h:mm AM/PM",
    19: "h:mm:ss AM/PM",
    20: "h:mm",
    21: "h:mm:ss",
    37: "#,##0 ;(#,##0)",
    38: "#,##0 ;[Red](#,##0)",
    39: "#,##0.00;(#,##0.00)",
    40: "#,##0.00;[Red](#,##0.00)",
    45: "mm:ss",
    46: "[h]:mm:ss",
    47: "mm:ss.0",
    48: "##0.0E+0",
    49: "@",
}
# Those that look different in each country: 22 has a time as well, the others are dates.
COUNTRY_DATES = {14, 22, *range(27, 37), *range(50, 59)}

DATE_KINDS = frozenset({"y", "month", "minute", "d", "h", "s", "noon", "elapsed"})
PARTS = re.compile(
    r'"(?P<quoted>[^"]*)"?|\\(?P<escaped>.)|_(?P<space>.)|\*(?P<fill>.)'
    r"|\[(?P<bracket>[^\]]*)\]|(?P<noon>AM/PM|A/P)|(?P<general>General)"
    r"|(?P<exponent>E[+-]0+)|(?P<fraction>\.0+(?=\D|$))"
    r"|(?P<y>[ye]+)|(?P<m>m+)|(?P<d>d+)|(?P<h>h+)|(?P<s>s+)"
    r"|(?P<digit>[0#?])|(?P<point>\.)|(?P<comma>,)|(?P<percent>%)|(?P<text>@)|(?P<other>.)",
    re.IGNORECASE | re.DOTALL,
)
SECTIONS = re.compile(r';|"[^"]*"?|\\.|_.|\*.|\[[^\]]*\]|.', re.DOTALL)
CONDITION = re.compile(r"(<=|>=|<>|<|>|=)(-?\d+(?:\.\d*)?)")
COLOUR = re.compile(r"(black|blue|cyan|green|magenta|red|white|yellow|color\s*\d+)", re.IGNORECASE)
CURRENCY = re.compile(r"\$([^-]*)(?:-([0-9A-F]*))?", re.IGNORECASE)
ENGLISH = 9  # the lower ten bits of the number of each kind of English
PLAIN_FROM, PLAIN_TO = 1e-7, 1e21  # numbers between these are written without an exponent
MAX_FORMAT_LENGTH = 255  # characters, as many as a sheet allows


def plain_number(value: float) -> str:
    """Return all digits that a sheet keeps of a number, without an exponent if possible."""
    digits = f"{value:.15g}"
    return f"{Decimal(digits):f}" if PLAIN_FROM <= abs(value) < PLAIN_TO else digits


class NumberFormat:
    """One format of a workbook; ``code`` is as the workbook has it.

    ``first_day`` is the serial of day 0 of the workbook: 0, or 1,462 if it counts from 1904.
    """

    def __init__(self, code: str, first_day: int = 0) -> None:
        is_readable = len(code) <= MAX_FORMAT_LENGTH
        self._first_day = first_day
        self._is_general = code.lower() in {"", "general"}
        sections = [_Section(section) for section in _split(code if is_readable else "?")]
        numeric = [section for section in sections[:3] if not section.is_text]
        self._sections = (numeric or [_Section(GENERAL)]) if is_readable else []
        self._text_parts = [] if self._is_general else _text_parts(sections[-1])

    def show(self, value: float) -> str | None:
        """Return ``value`` as the sheet shows it; None if that is not known here."""
        if self._is_general:
            return plain_number(value)
        section = self._section_of(value)
        if section is None:
            return None
        if section.is_date:
            return section.show(value + self._first_day)
        return section.show(abs(value) if self._section_has_sign(section) else value)

    def plain(self, value: float) -> str:
        """Return ``value`` in a form that everybody reads alike: dates as ISO 8601 has them."""
        section = self._section_of(value)
        moment = section and section.iso_date(value + self._first_day)
        return moment or plain_number(value)

    def show_text(self, text: str) -> str:
        """Return a text as the sheet shows it: a format may add words to it."""
        if not self._text_parts:
            return text
        return "".join(text if kind == "text" else part for kind, part in self._text_parts)

    def _section_of(self, value: float) -> "_Section | None":
        """Choose a section by its condition, or by the sign of ``value``."""
        sections = self._sections
        if any(section.condition for section in sections[:2]):
            return next((each for each in sections if each.holds(value)), None)
        if value < 0 and len(sections) > 1:
            return sections[1]
        if value == 0 and len(sections) > 2:
            return sections[2]
        return sections[0] if sections else None

    def _section_has_sign(self, section: "_Section") -> bool:
        """Return True for the section of negative numbers, which writes their sign itself."""
        return section is not self._sections[0] and not section.condition


@lru_cache(maxsize=4096)
def number_format(number: int, code: str, first_day: int = 0) -> NumberFormat:
    """Return the format with a number and, unless a workbook knows it by number alone, a code."""
    if not code and number in COUNTRY_DATES:
        code = "[$-F800]yyyy-mm-dd" + (" h:mm" if number == 22 else "")
    return NumberFormat(code or BUILT_IN.get(number, GENERAL), first_day)


def _text_parts(section: "_Section") -> list[Part]:
    has_words = any(kind == "literal" for kind, _ in section.parts)
    return section.parts if section.is_text and has_words else []


def _split(code: str) -> list[str]:
    sections = [""]
    for piece in SECTIONS.findall(code):
        if piece == ";":
            sections.append("")
        else:
            sections[-1] += piece
    return sections[:4]


class _Section:
    """One of the up to four sections of a format, split into parts."""

    def __init__(self, code: str) -> None:
        self.condition: tuple[str, float] | None = None
        self.is_known = True
        self._has_foreign_names = False
        self.parts: list[Part] = []
        for match in PARTS.finditer(code):
            self._add(str(match.lastgroup), match[match.lastgroup or 0])
        self._tell_minutes_from_months()
        kinds = {kind for kind, _ in self.parts}
        self.is_date = bool(kinds & DATE_KINDS)
        self.is_text = "text" in kinds
        self._is_general = "general" in kinds
        self._has_exponent = "exponent" in kinds
        if not self.is_date:
            self._join_fractions()
        has_names = any(kind in {"month", "d"} and len(text) > 2 for kind, text in self.parts)
        self.is_known &= not (self._has_foreign_names and has_names)
        has_places = any(kind == "digit" for kind, _ in self.parts) and not self._has_exponent
        self._places = _Places(self.parts) if has_places else None

    def _add(self, kind: str, text: str) -> None:
        kind = kind.lower()
        if kind == "bracket":
            self._add_bracket(text)
        elif kind in {"quoted", "escaped"}:
            self.parts.append(("literal", text))
        elif kind == "space":
            self.parts.append(("literal", " "))
        elif kind == "other":
            self.is_known &= (not text.isalpha() and text != "/") or self._is_date_so_far()
            self.parts.append(("literal", text))
        elif kind != "fill":
            self.parts.append((kind, text))

    def _is_date_so_far(self) -> bool:
        return any(kind in DATE_KINDS | {"m"} for kind, _ in self.parts)

    def _add_bracket(self, text: str) -> None:
        if COLOUR.fullmatch(text):
            return
        if match := CONDITION.fullmatch(text):
            self.condition = match[1], float(match[2])
        elif text and set(text.lower()) in ({"h"}, {"m"}, {"s"}):
            self.parts.append(("elapsed", f"[{text}]"))
        elif match := CURRENCY.fullmatch(text):
            country = (match[2] or "").upper()
            self.is_known &= country not in {"F800", "F400"}  # as the system of a person has it
            self._has_foreign_names |= bool(country) and int(country, 16) & 0x3FF != ENGLISH
            self.parts.append(("literal", match[1]))
        else:
            self.is_known = False

    def _tell_minutes_from_months(self) -> None:
        """Call each run of "m" after hours or before seconds minutes, and the others months."""
        times = [i for i, (kind, _) in enumerate(self.parts) if kind in DATE_KINDS | {"m"}]
        for place, index in enumerate(times):
            kind, text = self.parts[index]
            if kind == "m":
                before = self.parts[times[place - 1]] if place else ("", "")
                after = self.parts[times[place + 1]] if place + 1 < len(times) else ("", "")
                is_minute = (before[0] == "h" or before[1].lower().startswith("[h")) or (
                    after[0] == "s" or after[1].lower().startswith("[s")
                )
                kind = "minute" if is_minute and len(text) <= 2 else "month"
                self.parts[index] = kind, text

    def _join_fractions(self) -> None:
        """Split what could have been a fraction of a second into a point and digits."""
        parts: list[Part] = []
        for kind, text in self.parts:
            if kind == "fraction":
                parts += [("point", "."), *(("digit", digit) for digit in text[1:])]
            else:
                parts.append((kind, text))
        self.parts = parts

    def holds(self, value: float) -> bool:
        sign, limit = self.condition or ("=", value)  # without a condition, every value fits
        return {
            "<": value < limit,
            "<=": value <= limit,
            ">": value > limit,
            ">=": value >= limit,
            "<>": value != limit,
            "=": value == limit,
        }[sign]

    def iso_date(self, serial: float) -> str | None:
        kinds = {kind for kind, _ in self.parts}
        has_date = bool(kinds & {"y", "month", "d"})
        return iso_date(serial, has_date=has_date, has_time="h" in kinds) if self.is_date else None

    def show(self, value: float) -> str | None:
        if not self.is_known:
            return None
        if self.is_date:
            return show_date(value, self.parts)
        sign = "-" if value < 0 else ""
        text = self._show_digits(abs(value))
        if text is None or (value and not text.strip()):
            return None  # a sheet hides this number; nobody wants to lose it without a word
        has_digits = any(digit in "123456789" for digit in text)
        return (sign if has_digits else "") + text.strip()

    def _show_digits(self, value: float) -> str | None:
        """Return ``value``, which is not negative, in the form of this section."""
        if self._is_general:
            number = plain_number(value)
            return "".join(number if kind == "general" else text for kind, text in self.parts)
        if self._places:
            return _show_number(value, self._places)
        return _show_exponent(value, self.parts) if self._has_exponent else _words(self.parts)


class _Places:
    """The places for digits in a section, found once for all cells."""

    def __init__(self, parts: list[Part]) -> None:
        kinds = [kind for kind, _ in parts]
        last_digit = max((i for i, kind in enumerate(kinds) if kind == "digit"), default=-1)
        point = kinds.index("point") if "point" in kinds else last_digit + 1
        whole_end = max((i for i in range(point) if kinds[i] == "digit"), default=-1)
        commas = [i for i, kind in enumerate(kinds) if kind == "comma"]
        self.whole, self.decimals = parts[:point], parts[point:]
        self.groups = any(i < whole_end for i in commas)
        self.shift = 2 * kinds.count("percent") - 3 * sum(i > whole_end for i in commas)
        places = kinds[point:].count("digit")
        self.unit = Decimal(1).scaleb(-places)
        # Most formats are a row of places with text before and behind, which are filled at once.
        first = kinds.index("digit") if "digit" in kinds else 0
        digits = parts[first : last_digit + 1]
        is_simple = all(kind in {"digit", "comma", "point"} for kind, _ in digits) and not any(
            text == "?" or (text == "#" and first + i > whole_end)
            for i, (_, text) in enumerate(digits)
        )
        self.is_simple = is_simple and not (self.groups and ("digit", "0") in parts[:whole_end])
        self.before, self.after = _words(parts[:first]), _words(parts[last_digit + 1 :])
        self.width = sum(text == "0" for _, text in self.whole) + (places + 1 if places else 0)


def _words(parts: list[Part]) -> str:
    return "".join(text for kind, text in parts if kind != "comma")


def _show_number(value: float, places: _Places) -> str | None:
    """Fill the digits of ``value``, which is not negative, into the places of a format."""
    number = Decimal(f"{value:.15g}")
    if number.adjusted() > 20:
        return None
    rounded = number.scaleb(places.shift).quantize(places.unit, ROUND_HALF_UP)
    if places.is_simple:
        digits = (f"{rounded:,f}" if places.groups else f"{rounded:f}").lstrip("0")
        return f"{places.before}{digits.zfill(places.width)}{places.after}"
    whole, _, decimals = f"{rounded:f}".partition(".")
    return _fill_whole(whole.lstrip("0"), places.whole, groups=places.groups) + _fill_decimals(
        decimals, places.decimals
    )


def _fill_whole(digits: str, parts: list[Part], *, groups: bool) -> str:
    """Fill from the right; the leftmost place takes all digits that are left."""
    shown: list[str] = []
    left = [i for i, (kind, _) in enumerate(parts) if kind == "digit"]
    taken = 0
    for index in range(len(parts) - 1, -1, -1):
        kind, text = parts[index]
        if kind == "digit":
            here = len(digits) if index == left[0] and digits else 1
            for _ in range(here):
                digit = digits[-1:] or {"0": "0", "?": " "}.get(text, "")
                digits = digits[:-1]
                if groups and digit.strip() and taken and taken % 3 == 0:
                    shown.append(",")
                taken += bool(digit.strip())
                shown.append(digit)
        elif kind != "comma":
            shown.append(text)
    return "".join(reversed(shown))


def _fill_decimals(digits: str, parts: list[Part]) -> str:
    shown = ""
    for kind, text in parts:
        if kind == "digit":
            digit, digits = digits[:1], digits[1:]
            is_needed = text == "0" or (digit + digits).strip("0")
            shown += digit if is_needed else " " if text == "?" else ""
        elif kind != "comma":
            shown += text
    return shown


def _show_exponent(value: float, parts: list[Part]) -> str | None:
    """Show one digit before the point; formats with more of them are not known here."""
    kinds = [kind for kind, _ in parts]
    end = kinds.index("exponent")
    point = kinds.index("point") if "point" in kinds[:end] else end
    if kinds[:point].count("digit") != 1 or "comma" in kinds or "percent" in kinds:
        return None
    places = kinds[point:end].count("digit")
    mantissa, _, exponent = f"{Decimal(f'{value:.15g}'):.{places}E}".partition("E")
    whole, _, decimals = mantissa.partition(".")
    sign = "-" if exponent.startswith("-") else "+" if "+" in parts[end][1] else ""
    power = exponent.lstrip("+-").zfill(len(parts[end][1]) - 2)
    before = _fill_whole(whole, parts[:point], groups=False)
    after = "".join(text for _, text in parts[end + 1 :])
    return f"{before}{_fill_decimals(decimals, parts[point:end])}E{sign}{power}{after}"

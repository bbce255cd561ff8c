"""Ids, dates, amounts, names and other facts in a text, found by the name of a field."""

import re
from collections.abc import Iterator
from datetime import date
from functools import cached_property


def word_set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = rf"(?:{'|'.join(_MONTHS)})[a-zäé]*\.?"
_LINE = re.compile(
    r"^[ \t>*-]*([A-Za-z][\w '\u2019/-]{0,40}?)[ \t]*[:=][ \t]*(\S[^\n]*)$", re.MULTILINE
)
_ISO_DATE = re.compile(r"\b(\d{4})-(\d\d)-(\d\d)\b")
_DAY_FIRST = re.compile(rf"\b(\d{{1,2}})\.?(?:st|nd|rd|th)? ({_MONTH}),? (\d{{4}})\b", re.I)
_MONTH_FIRST = re.compile(rf"\b({_MONTH}) (\d{{1,2}})(?:st|nd|rd|th)?,? (\d{{4}})\b", re.I)
_DOTTED = re.compile(r"\b(\d{1,2})[./](\d{1,2})[./](\d{4})\b")
_CURRENCY = r"(?:[$€£]|\b(?:USD|EUR|GBP|euros?|dollars?)\b)"
_CURRENCY_CODES = {"$": "USD", "€": "EUR", "£": "GBP", "euro": "EUR", "dollar": "USD"}
_DIGITS = r"(\d[\d,.]{0,15}\d|\d)"
_AMOUNT = re.compile(rf"{_CURRENCY}\s?{_DIGITS}|{_DIGITS}\s?{_CURRENCY}", re.IGNORECASE)
_NUMBER = re.compile(
    r"(?<![\w.,-])-?(?:\d{1,3}(?:,\d{3})+|\d{1,15})(?:\.\d{1,6})?(?![\w-]|[.,]\d)"
)
_PLACE = re.compile(r"\b(?:in|from|of|at|near|to) ([A-Z][\w-]+(?: [A-Z][\w-]+)?)")
_CAPITALISED = re.compile(r"\b[A-Z][\w&'\u2019-]+(?: (?:of |de |van )?[A-Z][\w&'\u2019-]+)*")
_BY_KIND = {
    "id": re.compile(r"\b[A-Z]{2,}[A-Z0-9]*[-_/#]\d[\w-]*\b|#\d{2,}\b|\b[A-Z]{1,4}\d{3,}\b"),
    "email": re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b"),
    "url": re.compile(r"\bhttps?://[^\s<>\"')]+[^\s<>\"').,]"),
    "phone": re.compile(r"(?<![\w-])\+?\d[\d ()/-]{6,}\d\b"),
    "version": re.compile(r"\b\d+\.\d+(?:\.\d+)*\b"),
    "ipv4": re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b"),
    "uuid": re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.I),
    "time": re.compile(r"\b\d{1,2}:\d\d(?::\d\d)?\b"),
}
# Words in the name of a field, and the kind of fact that belongs there.
_KINDS_BY_WORD = {
    "email": word_set("email mail"),
    "url": word_set("url uri link website homepage"),
    "phone": word_set("phone tel telephone mobile fax"),
    "version": word_set("version release fixed"),
    "date": word_set("date day due deadline published born birthday created updated when"),
    "time": word_set("time"),
    "amount": word_set("amount price total cost sum fee salary budget revenue"),
    "place": word_set("city country place location town region where address"),
    "person": word_set("person people customer client author sender who recipient director owner"),
    "id": word_set("id cve number no code sku order ticket invoice reference ref case key"),
    "name": word_set("name company vendor brand product organisation organization supplier"),
}
_COMMON_STARTS = word_set(
    "the this that these those there here it its he she they we you i if in on at a an and but or"
    " for from with when while what which who how why my our your dear hello hi please is are was"
    " not no yes nor bug fixed"
)


class Facts:
    """The facts in one text."""

    def __init__(self, text: str) -> None:
        self._text = text

    def find(self, field: str) -> str | None:
        """Return the fact for a field of this name, or None if the text has none."""
        value = self.labelled(field)
        kind = kind_of(field)
        if kind and value:
            return self._first(kind, value) or (value if kind in {"id", "name"} else None)
        return value or (self._first(kind, self._text) if kind else None)

    def of_kind(self, kind: str) -> str | None:
        return self._first(kind, self._text)

    def all_of(self, field: str) -> list[str]:
        """Return the different facts for a list of this name, such as "emails"."""
        kind = kind_of(field)
        return list(dict.fromkeys(_facts_in(self._text, kind))) if kind else []

    def labelled(self, field: str) -> str | None:
        """Return the value of a line such as "Fixed in: 3.39.2" for the field ``fixed_in``."""
        words = words_of(field)
        return next((value for name, value in self._lines if name == words), None)

    def like(self, example: str) -> str | None:
        """Return a text of the form of ``example``: digits for digits, letters for letters."""
        form = re.sub(r"[^\W\d_]+", "A", re.sub(r"\d+", "0", example))
        pattern = "".join(
            {"0": r"\d+", "A": r"[^\W\d_]+"}.get(part, re.escape(part)) for part in form
        )
        match = re.search(rf"(?<![\w.]){pattern}(?![\w]|\.\d)", self._text)
        return match[0] if match else None

    def numbers(self, field: str) -> list[float]:
        """Return the numbers that may belong into the field, the most likely first.

        Most likely are those before a word of the field; least, those of dates and prices.
        """
        words = set(words_of(field))
        value = self.labelled(field) or ""
        if kind_of(field) == "amount":
            amounts = [*_amounts(value), *_amounts(self._text)]
            if amounts:
                return [_number(amount) for amount in amounts]
        unlikely = [
            match.span()
            for pattern in (_ISO_DATE, _DAY_FIRST, _MONTH_FIRST, _DOTTED, _AMOUNT)
            for match in pattern.finditer(self._text)
        ]
        ranked = []
        for match in _NUMBER.finditer(self._text):
            after = words_of(self._text[match.end() : match.end() + 30])[:2]
            is_part = any(start <= match.start() < end for start, end in unlikely)
            ranked.append((not words.intersection(after), is_part, _number(match[0])))
        ranked.sort(key=lambda number: number[:2])
        return [
            *(_number(digits) for digits in _NUMBER.findall(value)),
            *(number for _is_far, _is_part, number in ranked),
        ]

    def currency(self) -> str | None:
        """Return the code of the first currency in the text."""
        match = re.search(_CURRENCY, self._text, re.IGNORECASE)
        return _CURRENCY_CODES.get(match[0].lower().rstrip("s"), match[0]) if match else None

    @cached_property
    def _lines(self) -> list[tuple[tuple[str, ...], str]]:
        return [(words_of(match[1]), match[2].strip()) for match in _LINE.finditer(self._text)]

    def _first(self, kind: str, text: str) -> str | None:
        return next(_facts_in(text, kind), None)


def kind_of(field: str) -> str | None:
    """Return the kind of fact that a field of this name has, or None for prose and labels."""
    if words_of(field)[-1:] in {("on",), ("at",)}:
        return "date"
    words = {form for word in words_of(field) for form in (word, word.removesuffix("s"))}
    return next((kind for kind, names in _KINDS_BY_WORD.items() if words & names), None)


def _facts_in(text: str, kind: str) -> Iterator[str]:
    finders = {"date": _dates, "amount": _amounts, "name": _names}
    finders |= {"person": _people, "place": _places}
    if kind in finders:
        return finders[kind](text)
    return (match[0] for match in _BY_KIND[kind].finditer(text))


def words_of(name: str) -> tuple[str, ...]:
    """Return the words of "fixed_in", "fixedIn" or "Fixed in", in lower case."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return tuple(re.findall(r"[^\W_]+", spaced.lower()))


def _dates(text: str) -> Iterator[str]:
    """Yield the dates of ``text`` as year, month and day, in four groups of notations."""
    for year, month, day in _ISO_DATE.findall(text):
        yield from _date(year, month, day)
    for day, month, year in _DAY_FIRST.findall(text):
        yield from _date(year, _MONTHS.index(month[:3].lower()) + 1, day)
    for month, day, year in _MONTH_FIRST.findall(text):
        yield from _date(year, _MONTHS.index(month[:3].lower()) + 1, day)
    for day, month, year in _DOTTED.findall(text):
        yield from _date(year, month, day)


def _date(year: str, month: str | int, day: str) -> Iterator[str]:
    """Yield the date, unless there is no such day."""
    try:
        yield date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return


def _amounts(text: str) -> Iterator[str]:
    for match in _AMOUNT.finditer(text):
        yield match[1] or match[2]


def _number(digits: str) -> float:
    """Return the number of "1,299.50" or "1.299,50"."""
    whole, separator, cents = digits.rpartition(
        "." if digits.rfind(".") > digits.rfind(",") else ","
    )
    if separator and len(cents) == 3:
        whole, cents = digits, "0"
    if not separator:
        whole, cents = digits, "0"
    return float(f"{re.sub(r'[.,]', '', whole) or '0'}.{cents}")


def _names(text: str) -> Iterator[str]:
    """Yield capitalised words, first those that do not only begin a sentence."""
    candidates = [match for match in _CAPITALISED.finditer(text) if _is_name(match[0])]
    for match in candidates:
        if text[: match.start()].rstrip(" \"'“")[-1:] not in {"", ".", "!", "?", "\n"}:
            yield match[0]
    for match in candidates:
        yield match[0]


def _people(text: str) -> Iterator[str]:
    """Yield names of two or three words, or if there are none, other names."""
    names = list(_names(text))
    yield from [name for name in names if len(name.split()) in {2, 3}] or names


def _places(text: str) -> Iterator[str]:
    """Yield the names after a preposition, then the others."""
    for match in _PLACE.finditer(text):
        if _is_name(match[1]):
            yield match[1]
    yield from _names(text)


def _is_name(words: str) -> bool:
    first = words.split(maxsplit=1)[0].lower()
    return first not in _COMMON_STARTS and first[:3] not in _MONTHS

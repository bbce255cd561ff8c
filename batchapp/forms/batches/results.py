"""The address of a list of results: its filters, its order, its columns and its page."""

import math
from collections.abc import Container, Iterator, Mapping
from typing import Any, cast
from urllib.parse import urlencode

import msgspec
from django import forms

from batchapp.domain.results.outcome import GROUPS, Outcome
from batchapp.domain.results.result_filter import (
    BY_LINE,
    PAGE_SIZES,
    PROBLEM,
    RangeFilter,
    ResultFilter,
    ResultView,
    Sorting,
    ValueFilter,
)
from batchapp.models.batches.result import ResultQuerySet

# The beginnings of parameters that name a column: its value, that it has none, and its range.
IS, NO, RANGE = "is.", "no.", "range."
TO, BELOW = "..", "..<"  # between the ends of a range; the second leaves out the upper end
MAX_CONDITIONS = 20
MAX_COLUMNS = 60
MAX_NAME_LENGTH = 300  # characters of the name of a column
MAX_VALUE_LENGTH = 2_000  # characters of a value that is looked for
HIGHEST_PAGE = 10**7
HIGHEST_LINE = 2**31 - 1


class ColumnsField(forms.Field):
    """The names of columns, each a parameter of its own; None if none is given."""

    widget = forms.MultipleHiddenInput

    def clean(self, value: Any) -> tuple[str, ...] | None:
        names = tuple(dict.fromkeys(map(str, value or ())))
        if len(names) > MAX_COLUMNS or any(
            len(name) > MAX_NAME_LENGTH or "\0" in name for name in names
        ):
            raise forms.ValidationError("Choose fewer columns.")
        return names or None


class ResultFilterForm(forms.Form):
    """The parameters of a page of results; of an export, too, which has the same results.

    ``view`` is what they say, and ``address`` writes them. Conditions on columns are parameters
    named after the column: ``is.field:label=late``, ``no.field:label=on`` for results without a
    value, and ``range.output_tokens=100..199``. Only the results know which columns there are.
    """

    q = forms.CharField(
        label="Search",
        required=False,
        max_length=200,
        widget=forms.SearchInput(
            attrs={"placeholder": "Search ids, questions, answers", "autocomplete": "off"}
        ),
    )
    outcome = forms.ChoiceField(
        required=False,
        choices=[("", ""), *((value, value) for value in (*GROUPS, *Outcome))],
        widget=forms.HiddenInput,
    )
    attempts = forms.ChoiceField(required=False)
    sort = forms.CharField(required=False, max_length=MAX_NAME_LENGTH, widget=forms.HiddenInput)
    columns = ColumnsField(required=False)
    rows = forms.TypedChoiceField(
        label="Rows",
        required=False,
        coerce=int,
        choices=[("", ""), *((size, f"{size} rows") for size in PAGE_SIZES)],
        widget=forms.HiddenInput,
    )
    page = forms.IntegerField(required=False, min_value=1, max_value=HIGHEST_PAGE)
    line = forms.IntegerField(required=False, min_value=1, max_value=HIGHEST_LINE)
    after = forms.IntegerField(required=False, min_value=0, max_value=HIGHEST_LINE)
    before = forms.IntegerField(required=False, min_value=0, max_value=HIGHEST_LINE)

    def __init__(
        self, *args: Any, has_retries: bool = False, has_reused: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        if not (has_retries or has_reused):
            del self.fields["attempts"]
            return
        label = "With reused answers" if has_reused else "With retries"
        field = cast(forms.ChoiceField, self.fields["attempts"])
        field.choices = [("", label), ("own", "This batch alone")]

    def clean(self) -> dict[str, Any]:
        self.cleaned_data["conditions"] = _conditions(self.data)
        return self.cleaned_data

    @property
    def shown_fields(self) -> list[forms.BoundField]:
        """Return the fields of the row of filters; the others are chosen elsewhere."""
        return [self[name] for name in ("q", "attempts") if name in self.fields]

    @property
    def view(self) -> ResultView | None:
        """Return what the parameters say; None if one of them is invalid."""
        if not self.is_valid():
            return None
        cleaned = self.cleaned_data
        values, ranges = cleaned["conditions"]
        sort = cleaned["sort"]
        return ResultView(
            chosen=ResultFilter(
                outcome=cleaned["outcome"],
                text=cleaned["q"],
                values=values,
                ranges=ranges,
                own=cleaned.get("attempts") == "own",
            ),
            sorting=Sorting(sort.removeprefix("-"), sort.startswith("-")) if sort else BY_LINE,
            columns=cleaned["columns"],
            page=cleaned["page"] or 1,
            size=cleaned["rows"] or PAGE_SIZES[0],
        )

    @property
    def is_merged(self) -> bool:
        """Return True if answers of retries, and reused answers, count as those of the batch."""
        cleaned = self.cleaned_data if self.is_valid() else {}
        return "attempts" in self.fields and cleaned.get("attempts") != "own"

    def narrow(self, results: ResultQuerySet) -> ResultQuerySet:
        """Filter ``results`` by outcome and custom_id alone; an invalid form leaves none."""
        if not self.is_valid():
            return results.none()
        results, field = (
            (results.with_retries(), "merged") if self.is_merged else (results.sent(), "outcome")
        )
        if text := self.cleaned_data["q"]:
            results = results.filter(custom_id__icontains=text)
        outcome = self.cleaned_data["outcome"]
        if outcome in GROUPS:
            return results.filter(**{f"{field}__in": GROUPS[outcome]})
        return results.filter(**{field: outcome}) if outcome else results


class UnmatchedLinePageForm(forms.Form):
    after = forms.IntegerField(required=False, min_value=0, max_value=2**63 - 1)


def problem_address(key: str) -> str:
    """Return the parameters of the results that have the problem ``key``, from "?" on."""
    chosen = ResultFilter(values=(ValueFilter(PROBLEM, key),))
    return address(ResultView(chosen))


def address(view: ResultView, **changes: Any) -> str:
    """Return the parameters of ``view`` with other fields, from "?" on; "?" alone for none.

    A page is named only if it is not the first one; whoever changes the filter sets it to 1.
    """
    pairs = parameters(msgspec.structs.replace(view, **changes))
    return f"?{urlencode(pairs, safe=':')}"


def parameters(view: ResultView, *, without: Container[str] = ()) -> list[tuple[str, str]]:
    """Return the parameters of ``view`` as names and values, except those named ``without``."""
    chosen, sorting = view.chosen, view.sorting
    pairs = [
        ("q", chosen.text),
        ("outcome", chosen.outcome),
        ("attempts", "own" if chosen.own else ""),
        *map(_value_pair, chosen.values),
        *((f"{RANGE}{limits.column}", _range_text(limits)) for limits in chosen.ranges),
        ("sort", "" if sorting == BY_LINE else f"{'-' * sorting.is_descending}{sorting.column}"),
        *(("columns", name) for name in view.columns or ()),
        ("rows", str(view.size) if view.size != PAGE_SIZES[0] else ""),
        ("page", str(view.page) if view.page > 1 else ""),
    ]
    # A value may be empty; no other parameter is.
    kept = [(name, value) for name, value in pairs if value or name.startswith(IS)]
    return [(name, value) for name, value in kept if name not in without]


def _conditions(
    data: Mapping[str, Any],
) -> tuple[tuple[ValueFilter, ...], tuple[RangeFilter, ...]]:
    """Read the conditions on columns.

    Raises:
        ValidationError: there are too many, or one cannot be read.
    """
    values, ranges = [], []
    for name, text in _named_after_columns(data):
        kind, column = f"{name.partition('.')[0]}.", name.partition(".")[2]
        if kind == RANGE:
            ranges.append(_range(column, text))
        else:
            values.append(ValueFilter(column, text if kind == IS else None))
    return tuple(values), tuple(ranges)


def _named_after_columns(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    names = [name for name in data if name.startswith((IS, NO, RANGE))]
    for number, name in enumerate(names, start=1):
        text = str(data[name])
        is_too_long = len(name) > MAX_NAME_LENGTH or len(text) > MAX_VALUE_LENGTH
        if number > MAX_CONDITIONS or is_too_long or "\0" in name or "\0" in text:
            raise forms.ValidationError("These are more conditions than a page can have.")
        yield name, text


def _value_pair(condition: ValueFilter) -> tuple[str, str]:
    if condition.value is None:
        return f"{NO}{condition.column}", "on"
    return f"{IS}{condition.column}", condition.value


def _range(column: str, text: str) -> RangeFilter:
    is_open = BELOW in text
    low, separator, high = text.partition(BELOW if is_open else TO)
    if not separator or not (low or high):
        raise forms.ValidationError("A range has one end at least, such as 10..20.")
    return RangeFilter(column, _number(low), _number(high), is_open)


def _number(text: str) -> float | None:
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise forms.ValidationError("The ends of a range are numbers.")
    return number


def _range_text(limits: RangeFilter) -> str:
    low, high = ("" if end is None else f"{end:.15g}" for end in (limits.low, limits.high))
    return f"{low}{BELOW if limits.is_open else TO}{high}"

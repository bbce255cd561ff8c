"""The settings of an export: the chosen results, their columns, and how cells are written."""

import re

import msgspec

from batchapp.domain.csv_list import FORMULA_STARTS
from batchapp.domain.results.result_filter import ResultFilter

# A column by a name that stays the same when the columns file is built again: that of the table
# that the batch was made from, or of a field of JSON answers; others have no prefix.
SOURCE_PREFIX, FIELD_PREFIX = "source:", "field:"

NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d+)*|[.,]\d+)(?:[eE][+-]?\d+)?%?", re.ASCII)
GUARD = "'"


class ExportSettings(msgspec.Struct, frozen=True):
    """The results of a batch that an export has, and their columns by key; none for the usual.

    The conditions of ``chosen`` name columns by key as well. ``has_all_rows`` adds the rows of the
    table that have no request, if no results were chosen. The last two are for CSV: ``has_bom``
    starts it with a byte order mark, by which Excel knows UTF-8, and ``has_guard`` puts a quote
    before texts that a spreadsheet could take for formulas.
    """

    chosen: ResultFilter = ResultFilter()
    columns: tuple[str, ...] = ()
    has_all_rows: bool = True
    has_bom: bool = True
    has_guard: bool = True


def guard_formula(text: str) -> str:
    """Return ``text`` with a quote before it if a spreadsheet could take it for a formula.

    A number stays as it is, also with a sign.
    """
    if text.startswith(FORMULA_STARTS) and not NUMBER.fullmatch(text):
        return f"{GUARD}{text}"
    return text


def unique_names(names: list[str], *, ignore_case: bool = False) -> list[str]:
    """Return ``names`` with a number behind each one that an earlier one has already."""
    taken: set[str] = set()
    unique = []
    for name in names:
        candidate, number = name, 1
        while (candidate.casefold() if ignore_case else candidate) in taken:
            number += 1
            candidate = f"{name}_{number}"
        taken.add(candidate.casefold() if ignore_case else candidate)
        unique.append(candidate)
    return unique

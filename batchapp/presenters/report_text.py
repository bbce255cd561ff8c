"""The words of the report: names of groups, and the days that it is about."""

from datetime import date

from batchapp.domain import windows
from batchapp.forms.reports import WITHOUT_NAMES
from batchapp.services.reports.line import Line
from batchapp.templatetags.words import count


def group_name(by: str, name: str) -> str:
    """Show the name of a group of the dimension ``by``; what has no tag has a name as well."""
    if not name:
        return WITHOUT_NAMES.get(by, "")
    return windows.spaced(name) if by == "window" else name


def contents_text(line: Line, kind: str = "") -> str:
    """Return what a sum is of: "3 batches", or "2 single requests" if there is no batch in it."""
    if line.batches or not line.requests:
        return count(line.batches, f"{kind}batch,{kind}batches")
    return count(line.requests, f"{kind or 'single '}request")


def days_text(first: date, last: date) -> str:
    """Return "5 November 2026", "1 to 29 November 2026" or "1 October to 29 November 2026"."""
    end = f"{last:%-d %B %Y}"
    if first == last:
        return end
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day} to {end}"
    return f"{first:%-d %B}{'' if first.year == last.year else f' {first.year}'} to {end}"

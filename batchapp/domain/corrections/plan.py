"""Plan the corrections that turn a file into requests, tried on its first lines."""

from collections.abc import Iterable

import msgspec

from batchapp.domain.corrections.corrected_file import first_lines
from batchapp.domain.corrections.correction_rules import (
    CORRECTION_RULES,
    STRUCTURE,
    Choice,
    CorrectionKind,
    corrections_for,
)
from batchapp.domain.corrections.corrector import Corrector
from batchapp.domain.request_files import check_file
from batchapp.domain.request_files.check_file import Report, Severity
from batchapp.domain.request_files.findings import severity_of
from batchapp.domain.request_files.limits import Limits

MAX_ROUNDS = 8  # one mistake may hide another; more in a row were not seen
REQUESTS_SHOWN = 3

# Corrections that a plan leaves to a person: they drop lines, or need a value.
LEFT_TO_PEOPLE = frozenset({CorrectionKind.DROP_BAD_ROWS, CorrectionKind.SET_MODEL})

# Findings of a file of which every line is written otherwise than a request.
TO_CONVERT = frozenset(
    code
    for kind in (CorrectionKind.CONVERT_FORMAT, *STRUCTURE)
    for code in CORRECTION_RULES[kind].codes
)
NO_ENDPOINT = frozenset({"missing_url", "no_method_and_url", "bare_bodies"})
TWO_ENDPOINTS = frozenset({"anthropic_batch", "bedrock_batch"})


class Plan(msgspec.Struct, frozen=True):
    """The corrections, and what they make of the first lines.

    ``requests`` are the first lines of the new file, ``report`` is that of all lines that were
    tried. ``codes`` are the findings that were met on the way: those of the file, and those that
    they hid.
    """

    corrections: frozenset[CorrectionKind]
    requests: list[bytes]
    report: Report
    codes: frozenset[str]

    @property
    def asks_model(self) -> bool:
        """Return True if requests name no model."""
        return any(
            CorrectionKind.SET_MODEL in corrections_for(code)
            and severity_of(code) is Severity.ERROR
            for code in self.report.finding_totals
        )

    @property
    def asks_endpoint(self) -> bool:
        """Return True if requests do not tell their endpoint."""
        return not NO_ENDPOINT.isdisjoint(self.report.finding_totals)

    @property
    def has_two_endpoints(self) -> bool:
        """Return True if the lines can be requests to /v1/messages and chat completions."""
        return not TWO_ENDPOINTS.isdisjoint(self.codes)


def make_plan(head: bytes, codes: Iterable[str], limits: Limits, *, is_whole: bool) -> Plan | None:
    """Plan the corrections of a file with findings of ``codes``, of which ``head`` is the start.

    Return None if none of the findings can be corrected without a person, or if no request would
    come of it.
    """
    met = set(codes)
    chosen = _corrections(met)
    if not chosen:
        return None
    for _ in range(MAX_ROUNDS):
        corrector = Corrector(Choice(frozenset(chosen)), limits)
        rows = first_lines(corrector, head, is_whole=is_whole)
        report = check_file.check(rows, limits)
        met |= report.finding_totals.keys()
        more = _corrections(met) - chosen
        if not more:
            break
        chosen |= more
    plan = Plan(frozenset(chosen), rows[:REQUESTS_SHOWN], report, frozenset(met))
    return plan if report.models or plan.asks_model or plan.asks_endpoint else None


def _corrections(codes: Iterable[str]) -> set[CorrectionKind]:
    """Return the correction of each error that keeps the most of the file."""
    kinds = (corrections_for(code)[:1] for code in codes if severity_of(code) is Severity.ERROR)
    return {kind for first in kinds for kind in first} - LEFT_TO_PEOPLE

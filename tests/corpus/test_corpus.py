"""Every nasty file gets its report, and the provider's stand-in is of the same mind."""

import gzip
import re
from collections import Counter

import pytest

from batchapp.domain.preflight import lines
from batchapp.domain.preflight.jsonl import Limits, Report, Severity, check
from batchapp.domain.preflight.repairs import Choice, Repair, Repairing
from tests.corpus.files import CASES, Case
from tests.sandbox.api_client import Api

REFUSALS = {400, 403}
"""403 is for a model that the provider does not know."""

LIMITS = Limits(max_bytes=10**8)
PLAIN = [case for case in CASES if not check([case.data], LIMITS).is_gzip]


def named(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


def number_among_requests(data: bytes, line: int) -> int:
    """As the provider counts: blank lines are none."""
    before = data.split(b"\n")[:line]
    return sum(1 for each in before if lines.trimmed(each))


def providers_errors(report: Report) -> list[int]:
    """Lines of the errors that the provider looks for as well."""
    return [
        fault.line
        for fault in report.faults
        if fault.severity is Severity.ERROR and not fault.is_ours
    ]


def test_there_are_enough_of_them_and_no_two_alike():
    assert len(CASES) >= 60
    assert len({case.name for case in CASES}) == len(CASES)
    assert len({case.data for case in CASES}) == len(CASES)


@named(CASES)
def test_a_nasty_file_gets_exactly_its_report(case):
    report = check([case.data], LIMITS)

    assert [f"{fault.line} {fault.severity} {fault.code}" for fault in report.faults] == [
        *case.faults
    ]
    assert report.fault_totals == (
        case.totals or Counter(fault.split()[2] for fault in case.faults)
    )
    assert (report.requests, report.is_valid) == (case.requests, case.valid)
    for fault in report.faults:
        assert fault.message.isprintable()
        assert fault.offset == 0 or (report.is_gzip or case.data[fault.offset - 1] == 10)


@named(PLAIN)
def test_the_provider_takes_what_we_take_and_names_the_same_first_line(case, provider: Api):
    expected = providers_errors(check([case.data], LIMITS))

    response = provider.upload(case.data)

    if case.differs:
        agrees = response.status_code in REFUSALS if expected else response.status_code == 201
        assert not agrees, "the sandbox no longer differs"
        return
    assert response.status_code in (REFUSALS if expected else {201}), response.text
    if expected and (found := re.search(r"line (\d+)", response.text, re.IGNORECASE)):
        first = expected[0] or 1
        assert int(found[1]) == number_among_requests(case.data, first), response.text


@named([case for case in PLAIN if not case.differs])
def test_what_is_left_without_the_bad_rows_is_taken(case, provider: Api):
    everything = frozenset({Repair.DROP_BAD_ROWS, Repair.REMOVE_BYTE_ORDER_MARK})
    repairing = Repairing(Choice(everything), LIMITS)
    rest = b"".join(repairing.run(lambda: [case.data]))

    report = check([rest], LIMITS)
    response = provider.upload(rest)

    assert report.is_valid == (response.status_code == 201), response.text
    assert report.is_valid or set(report.fault_totals) <= {"empty_file", "only_blank_lines"}


@named([case for case in CASES if check([case.data], LIMITS).is_gzip and case.valid])
def test_what_is_inside_an_archive_is_taken(case, provider: Api):
    assert provider.upload(gzip.decompress(case.data)).status_code == 201

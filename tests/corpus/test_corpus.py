"""Every difficult file gets its report, and the sandbox agrees with it."""

import gzip
import re
from collections import Counter

import pytest

from batchapp.domain.corrections.correction_rules import Choice, CorrectionKind
from batchapp.domain.corrections.corrector import Corrector
from batchapp.domain.request_files.check_file import Limits, Report, Severity, check
from batchapp.domain.request_files.reading import lines
from batchapp.services.offered_models.model_table import doubleword_cards
from tests.corpus.files import CASES, Case
from tests.sandbox.api_client import Api

REFUSALS = {400, 403}  # 403 is for a model that the provider does not know

LIMITS = Limits(max_bytes=10**8, models={card.model: card for card in doubleword_cards()})
PLAIN = [case for case in CASES if not case.is_gzip]


def named(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


def number_among_requests(data: bytes, line: int) -> int:
    """Number a line as the provider does, which does not count blank lines."""
    return sum(1 for row in data.split(b"\n")[:line] if lines.trim(row))


def providers_errors(report: Report) -> list[int]:
    """Return the lines of the errors that the provider checks as well."""
    return [
        finding.line
        for finding in report.findings
        if finding.severity is Severity.ERROR and not finding.is_portal_only
    ]


def test_there_are_enough_cases_and_no_two_alike():
    assert len(CASES) >= 60
    assert len({case.name for case in CASES}) == len(CASES)
    assert len({case.data for case in CASES}) == len(CASES)


@named(CASES)
def test_a_difficult_file_gets_exactly_its_report(case):
    report = check([case.data], LIMITS)

    assert [
        f"{finding.line} {finding.severity} {finding.code}" for finding in report.findings
    ] == [*case.findings]
    assert report.finding_totals == (
        case.totals or Counter(finding.split()[2] for finding in case.findings)
    )
    assert (report.requests, report.is_valid) == (case.requests, case.valid)
    assert report.is_gzip == case.is_gzip
    for finding in report.findings:
        assert finding.message.isprintable()
        assert finding.offset == 0 or (report.is_gzip or case.data[finding.offset - 1] == 10)


@named(PLAIN)
def test_the_provider_accepts_the_same_files_and_names_the_same_first_line(case, provider: Api):
    expected = providers_errors(check([case.data], LIMITS))

    response = provider.upload(case.data)

    if case.differs:
        agrees = response.status_code in REFUSALS if expected else response.status_code == 201
        assert not agrees, "the sandbox no longer differs"
        return
    assert response.status_code in (REFUSALS if expected else {201}), response.text
    if expected and (match := re.search(r"line (\d+)", response.text, re.IGNORECASE)):
        first = expected[0] or 1
        assert int(match[1]) == number_among_requests(case.data, first), response.text


@named([case for case in PLAIN if not case.differs])
def test_a_file_without_its_bad_rows_is_accepted(case, provider: Api):
    kinds = frozenset({CorrectionKind.DROP_BAD_ROWS, CorrectionKind.REMOVE_BYTE_ORDER_MARK})
    corrector = Corrector(Choice(kinds), LIMITS)
    corrected = b"".join(corrector.run(lambda: [case.data]))

    report = check([corrected], LIMITS)
    response = provider.upload(corrected)

    assert report.is_valid == (response.status_code == 201), response.text
    assert report.is_valid or set(report.finding_totals) <= {"empty_file", "only_blank_lines"}


@named([case for case in CASES if case.is_gzip and case.valid])
def test_the_content_of_a_valid_archive_is_accepted(case, provider: Api):
    assert provider.upload(gzip.decompress(case.data)).status_code == 201

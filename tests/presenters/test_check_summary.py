"""The sentence, the figures and the bar of a checked file."""

import re

import pytest

from batchapp.domain.request_files import check_file
from batchapp.models import Project, Upload, User
from batchapp.presenters.check_summary import CheckSummary, check_summary, percent_checked
from tests.domain.request_lines import LIMITS
from tests.make import make_upload, request_line


def summary_of(*lines: str) -> CheckSummary:
    return check_summary(check_file.check(["\n".join(lines).encode()], LIMITS))


def asked(number: int, **fields: object) -> str:
    body = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": f"{number}?"}]}
    return request_line(number, body=body | fields)


def test_a_file_without_findings_has_one_sentence_and_its_figures() -> None:
    summary = summary_of(asked(1), asked(2), asked(3))

    assert summary.headline == "All 3 requests are ready to be sent."
    ids, models, tokens = summary.figures
    assert (ids, models) == ("3 unique custom_ids", "1 model")
    assert re.fullmatch(r"~?\d+ tokens in", tokens)
    assert (summary.ready_share, summary.legend) == (100, [("check", "3 ready")])
    assert not summary.has_parts


def test_each_line_is_in_one_part_of_the_bar() -> None:
    lines = [asked(n) for n in range(96)]

    summary = summary_of(*lines, asked(96, stream=True), asked(97, stream=True, n=2), "x", "x")

    assert summary.headline == "2 of 100 lines have errors, so the file cannot be sent."
    assert summary.figures == []
    assert summary.has_parts
    assert [text for _, text in summary.legend] == [
        "96 ready",
        "2 with warnings",
        "2 with errors",
    ]
    assert (summary.ready_share, summary.warned_share, summary.faulty_share) == (96, 2, 2)


@pytest.mark.parametrize(
    ("lines", "headline"),
    [
        (["{}"], "The only line cannot be sent."),
        (["{}", "y"], "2 of 2 lines cannot be sent."),
        ([""], "The file is empty; put one request on each line."),
        (
            ['[{"custom_id": "a"}]'],
            "This looks like a JSON array, and one request per line is needed.",
        ),
        (
            ['{"custom_id": "a", "params": {"messages": []}}'] * 2,
            "This is Anthropic's batch format (custom_id and params).",
        ),
    ],
)
def test_a_file_of_errors_alone_has_no_bar(lines: list[str], headline: str) -> None:
    summary = summary_of(*lines)

    assert summary.headline == headline
    assert not summary.has_parts


def test_one_line_among_many_is_seen_in_the_bar() -> None:
    summary = summary_of(*(asked(n) for n in range(999)), asked(999, stream=True))

    assert summary.headline == "All 1,000 requests are ready to be sent, with 1 warning."
    assert (summary.ready_share, summary.warned_share) == (98, 2)


def test_warnings_of_one_kind_are_counted_beyond_those_that_are_kept() -> None:
    summary = summary_of(*(asked(n, stream=True) for n in range(300)), asked(300))

    assert [text for _, text in summary.legend] == ["1 ready", "300 with warnings"]


def test_what_the_kept_findings_do_not_say_is_said_as_a_bound() -> None:
    streams = [asked(n, stream=True) for n in range(300)]

    with_another = summary_of(*streams, asked(300, n=2), asked(301))
    with_errors = summary_of(*streams, "x")

    assert [text for _, text in with_another.legend] == [
        "at most 101 ready",
        "at least 201 with warnings",
    ]
    assert [text for _, text in with_errors.legend] == ["at most 300 ready", "1 with errors"]


@pytest.mark.django_db
@pytest.mark.parametrize(("checked", "percent"), [(0, 0), (30, 25), (120, 99), (500, 99)])
def test_the_length_of_the_first_lines_tells_how_far_a_check_is(
    project: Project, user: User, checked: int, percent: int
) -> None:
    content = f"{request_line(7)}\n".encode() * 120
    upload = make_upload(project, user, content=content, is_checked=False)
    upload.lines_checked = checked

    assert percent_checked(upload) == percent


@pytest.mark.django_db
def test_nothing_is_said_of_a_file_that_cannot_be_read(project: Project, user: User) -> None:
    upload = make_upload(project, user, is_checked=False)
    upload.blob.storage.delete(upload.blob.name)

    assert percent_checked(upload) is None


@pytest.mark.django_db
def test_a_correction_is_as_far_as_its_original_says(project: Project, user: User) -> None:
    original = make_upload(project, user)
    upload = Upload(
        made_from=original, correction_fields={"choice": {"corrections": []}}, lines_checked=1
    )

    assert percent_checked(upload) == 33

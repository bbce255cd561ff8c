"""What a corrected version is said to be, and what a preview shows of it."""

import msgspec
import pytest

from batchapp.domain.corrections.corrected_file import EXAMPLE_LENGTH, Correction, describe_changes, preview
from batchapp.domain.corrections.corrector import Choice, CorrectionKind
from tests.domain.request_lines import LIMITS, make_body, make_file, make_line

SUFFIX = Choice(frozenset({CorrectionKind.SUFFIX_DUPLICATES}))
DROP = Choice(frozenset({CorrectionKind.DROP_BAD_ROWS}))


def test_what_was_done_reads_in_the_order_in_which_it_is_done():
    changed = {
        CorrectionKind.DROP_BAD_ROWS: 1_200,
        CorrectionKind.SUFFIX_DUPLICATES: 1,
        CorrectionKind.SET_MODEL: 3,
    }

    words = describe_changes(changed, Choice(frozenset(changed), model="Qwen/Qwen3-14B"))

    assert (
        words
        == "3 requests given the model Qwen/Qwen3-14B, 1 custom_id numbered, 1,200 lines dropped"
    )


def test_nothing_done_is_said_too():
    assert describe_changes({}, DROP) == "nothing changed"


def test_a_correction_comes_back_from_the_database_as_it_went_in():
    choice = Choice(frozenset(CorrectionKind), model="m", max_tokens=100, every_model=True)
    begun = Correction(choice, "tickets.jsonl")
    done = msgspec.structs.replace(begun, changed={CorrectionKind.STRIP_STREAM: 2})

    for each in (begun, done):
        assert msgspec.convert(msgspec.to_builtins(each), Correction) == each
    assert (begun.words, done.words) == ("", "2 streams taken out")


def test_a_preview_shows_what_changes_around_the_change():
    data = make_file(make_line(custom_id="a"), make_line(custom_id="b"), make_line(custom_id="a"))

    found = preview(data, SUFFIX, LIMITS)

    (example,) = found.examples
    assert (found.lines, found.changed) == (3, {CorrectionKind.SUFFIX_DUPLICATES: 1})
    assert example.line == 3
    assert '"custom_id":"a"' in example.before
    assert '"custom_id":"a-2"' in example.after


def test_a_preview_of_a_long_line_is_short_and_has_the_change_in_it():
    body = make_body(messages=[{"role": "user", "content": "x" * 5_000}], stream=True)

    (example,) = preview(
        make_file(make_line(body=body)), Choice(frozenset({CorrectionKind.STRIP_STREAM})), LIMITS
    ).examples

    assert "stream" in example.before
    assert "stream" not in example.after
    assert max(len(example.before), len(example.after)) <= EXAMPLE_LENGTH + 1


def test_a_dropped_line_has_nothing_after_it():
    found = preview(b"nonsense\n" + make_file(make_line()), DROP, LIMITS)

    (example,) = found.examples
    assert (example.line, example.before, example.after) == (1, "nonsense", "")


@pytest.mark.parametrize("choice", [SUFFIX, DROP])
def test_a_secret_is_not_shown_in_a_preview(choice):
    secret = "AKIA" + "A1B2C3D4E5F6G7H8"
    body = make_body(messages=[{"role": "user", "content": f"use {secret}"}])

    found = preview(make_file(*[make_line(custom_id="a", body=body)] * 2), choice, LIMITS)

    assert found.examples
    assert not any(secret in each.before + each.after for each in found.examples)

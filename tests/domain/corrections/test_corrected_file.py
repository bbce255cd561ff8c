"""The words for a correction, and its preview."""

import msgspec
import pytest

from batchapp.domain.corrections.corrected_file import (
    EXAMPLE_LENGTH,
    Correction,
    describe_changes,
    preview,
)
from batchapp.domain.corrections.correction_rules import Choice, CorrectionKind
from tests.domain.request_lines import LIMITS, make_body, make_file, make_line

SUFFIX = Choice(frozenset({CorrectionKind.SUFFIX_DUPLICATES}))
DROP = Choice(frozenset({CorrectionKind.DROP_BAD_ROWS}))


def test_changes_are_described_in_the_order_in_which_they_are_made():
    changed = {
        CorrectionKind.DROP_BAD_ROWS: 1_200,
        CorrectionKind.SUFFIX_DUPLICATES: 1,
        CorrectionKind.SET_MODEL: 3,
    }

    words = describe_changes(changed, Choice(frozenset(changed), model="Qwen3-14B"))

    assert words == (
        "3 requests given the model Qwen3-14B, 1 custom_id numbered, 1,200 lines dropped"
    )


def test_no_change_is_described_too():
    assert describe_changes({}, DROP) == "nothing changed"


def test_a_correction_comes_back_from_the_database_as_it_went_in():
    choice = Choice(frozenset(CorrectionKind), model="m", max_tokens=100, every_model=True)
    requested = Correction(choice, "tickets.jsonl")
    done = msgspec.structs.replace(requested, changed={CorrectionKind.STRIP_STREAM: 2})

    for correction in (requested, done):
        assert msgspec.convert(msgspec.to_builtins(correction), Correction) == correction
    assert (requested.words, done.words) == ("", "2 streams removed")


def test_a_preview_shows_the_line_around_the_change():
    data = make_file(make_line(custom_id="a"), make_line(custom_id="b"), make_line(custom_id="a"))

    trial = preview(data, SUFFIX, LIMITS)

    (example,) = trial.examples
    assert (trial.lines, trial.changed) == (3, {CorrectionKind.SUFFIX_DUPLICATES: 1})
    assert example.line == 3
    assert '"custom_id":"a"' in example.before
    assert '"custom_id":"a-2"' in example.after
    assert (example.old[1], example.new[1]) == ("", "-2")
    assert example.old[0] == example.new[0]


def test_a_preview_of_a_long_line_is_short_and_has_the_change_in_it():
    body = make_body(messages=[{"role": "user", "content": "x" * 5_000}], stream=True)

    (example,) = preview(
        make_file(make_line(body=body)), Choice(frozenset({CorrectionKind.STRIP_STREAM})), LIMITS
    ).examples

    assert "stream" in example.before
    assert "stream" not in example.after
    assert (example.old[1], example.new[1]) == (',"stream":true', "")
    assert max(len(example.before), len(example.after)) <= EXAMPLE_LENGTH + 1


def test_a_dropped_line_has_nothing_after_it():
    (example,) = preview(b"nonsense\n" + make_file(make_line()), DROP, LIMITS).examples

    assert (example.line, example.before, example.after) == (1, "nonsense", "")


@pytest.mark.parametrize("choice", [SUFFIX, DROP])
def test_a_secret_is_not_shown_in_a_preview(choice):
    secret = "AKIA" + "A1B2C3D4E5F6G7H8"
    body = make_body(messages=[{"role": "user", "content": f"use {secret}"}])

    data = make_file(*[make_line(custom_id="a", body=body)] * 2)

    examples = preview(data, choice, LIMITS).examples

    assert examples
    assert not any(secret in example.before + example.after for example in examples)

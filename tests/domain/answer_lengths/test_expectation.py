from batchapp.domain.answer_lengths.expectation import (
    MAX_BASIS,
    MAX_SUMS,
    NO_OUTPUT,
    OutputSums,
    expect,
)
from batchapp.domain.answer_lengths.length import UNSAID, Length, Span
from batchapp.domain.answer_lengths.reasoning import Reasoning

YES = Length("yes or no", Span(1, 2, 6))
COPY = Length("a copy", Span(1, 2, 3), Span(1, 1, 1), longest=500)


def sums_of(*expectations, model="m", input_tokens=100):
    sums = OutputSums()
    for expectation in expectations:
        sums.add(model, expectation, input_tokens)
    return sums.by_model()


def test_equal_expectations_are_one_object():
    assert expect(YES, limit=7) is expect(Length("yes or no", Span(1, 2, 6)), limit=7)


def test_the_output_of_a_request_follows_its_text_its_answers_and_its_limit():
    assert expect(YES).tokens(100) == (1, 2, 6)
    assert expect(YES, answers=3).tokens(100) == (3, 6, 18)
    assert expect(YES, limit=4).tokens(100) == (1, 2, 4)
    assert expect(YES, limit=1).tokens(100) == (0.25, 1, 1)
    assert expect(COPY, other_tokens=40).tokens(100) == (61, 62, 63)
    assert expect(COPY).tokens(10_000).expected == 502
    assert expect(UNSAID, limit=100).tokens(100) == (10, 50, 100)


def test_the_requests_of_a_model_are_summed_up_with_a_basis():
    output = sums_of(*[expect(YES)] * 9, expect(COPY), NO_OUTPUT)["m"]

    assert (output.low, output.expected, output.high) == (110, 120, 157)
    assert output.basis == (
        "from the answers that the requests ask for: yes or no (9), a copy (1)"
    )
    assert output.is_said


def test_requests_that_do_not_say_are_no_sure_estimate():
    output = sums_of(expect(UNSAID), expect(UNSAID))["m"]

    assert not output.is_said
    assert output.basis == (
        "the requests do not say how long an answer is; about 215 tokens each, as in public chats"
    )
    assert not sums_of(expect(YES), expect(UNSAID))["m"].is_said


def test_thinking_is_added_and_said():
    thought = Reasoning(Span(100, 200, 900), "as M needs for simple questions")

    output = sums_of(expect(YES, thought))["m"]

    assert (output.low, output.expected, output.high) == (101, 202, 906)
    assert output.basis.endswith(
        "yes or no, and about 200 tokens of thinking each, as M needs for simple questions"
    )
    assert not output.is_said


def test_a_basis_fits_its_column_however_many_kinds_there_are():
    thought = Reasoning(Span(100, 200, 900), "as M needs for simple questions")
    kinds = [
        Length(f"answers of the kind number {number:,}" * 3, YES.tokens) for number in range(9)
    ]

    basis = sums_of(*(expect(kind, thought) for kind in kinds))["m"].basis

    assert len(basis) <= MAX_BASIS
    assert basis.endswith("as M needs for simple questions")


def test_a_file_of_many_kinds_keeps_a_bounded_number_of_sums():
    sums = OutputSums()
    for limit in range(1, MAX_SUMS + 1_000):
        sums.add("m", expect(YES, limit=limit), 10)
    sums.add("other", expect(YES), 10)

    assert len(sums._sums) <= MAX_SUMS + 1
    assert sums.by_model()["m"].expected == 2 * (MAX_SUMS + 999) - 1
    assert sums.by_model()["other"].expected == 2

"""The parts of a comparison on its page: shares, chips, totals, and rows with differences."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlencode

from batchapp.domain.results.comparison import LETTERS, Agreement
from batchapp.domain.results.outcome import Outcome
from batchapp.domain.results.word_diff import EXCERPT_LENGTH, Piece, diff_words, excerpts
from batchapp.forms.batches.comparison import ALL, NO_RESULT, ONLY
from batchapp.models import Batch
from batchapp.services.results.columns.compare_columns import (
    BatchTotals,
    ComparedResult,
    ComparedRow,
    Comparison,
)
from batchapp.templatetags.words import count

NOT_HERE = "not in this batch"
MAX_COMBINATIONS = 12  # of outcomes that a page shows
LABELS = {
    Agreement.DISAGREE: "Disagree",
    Agreement.AGREE: "Agree",
    Agreement.UNANSWERED: "Not answered by all",
    Agreement.PARTIAL: "Not in all",
}


@dataclass(frozen=True, slots=True)
class Chip:
    """``show`` is the value of the address; ``number`` are the custom_ids behind it."""

    show: str
    label: str
    number: int
    is_current: bool


@dataclass(frozen=True, slots=True)
class Share:
    """``agree`` of ``total`` custom_ids, and the share as text; a dash if there are none."""

    label: str
    agree: int
    total: int

    @property
    def text(self) -> str:
        return share_text(self.agree, self.total)


@dataclass(frozen=True, slots=True)
class Side:
    """The totals of one batch, what one answer has on average, and what a thousand cost."""

    letter: str
    batch: Batch
    totals: BatchTotals
    only: int

    @property
    def tokens_per_answer(self) -> float | None:
        return self.totals.output_tokens / self.totals.answers if self.totals.answers else None

    @property
    def cost_per_thousand(self) -> Decimal | None:
        cost = self.totals.cost_usd
        return (
            1000 * cost / self.totals.answers if cost is not None and self.totals.answers else None
        )


@dataclass(frozen=True, slots=True)
class Cell:
    """One result of a row, in pieces that tell where it differs from the others."""

    letter: str
    batch: Batch
    result: ComparedResult | None
    pieces: list[Piece]


@dataclass(frozen=True, slots=True)
class Row:
    row: ComparedRow
    label: str
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class Combination:
    """``number`` custom_ids that ended so; ``outcomes`` has None for a batch without the id.

    ``address`` are the parameters that choose them.
    """

    outcomes: list[Outcome | None]
    number: int
    address: str


def share_text(part: int, total: int) -> str:
    """Return a share with one decimal; all and none only if it is exactly so."""
    if not total:
        return "\N{EN DASH}"
    text = f"{100 * part / total:.1f}"
    if text == "100.0" and part < total:
        text = "99.9"
    if text == "0.0" and part:
        text = "0.1"
    return f"{text.removesuffix('.0')}\N{NO-BREAK SPACE}%"


def chips_of(comparison: Comparison, shown: str, field: str) -> list[Chip]:
    """Return the kinds of rows that occur; of a field, how often that field agrees."""
    coverage = comparison.coverage
    numbers: dict[str, tuple[str, int]] = {
        kind.value: (label, coverage.counts[kind]) for kind, label in LABELS.items()
    }
    for agreement in comparison.field_agreements:
        if agreement.label == field:
            numbers[Agreement.DISAGREE] = (LABELS[Agreement.DISAGREE], agreement.disagree)
            numbers[Agreement.AGREE] = (LABELS[Agreement.AGREE], agreement.agree)
    for letter, only in zip(LETTERS, coverage.only, strict=False):
        numbers[f"{ONLY}{letter}"] = (f"Only in {letter}", only)
    numbers[ALL] = ("All", coverage.total)
    return [
        Chip(show, label, number, show == shown)
        for show, (label, number) in numbers.items()
        if number or show in {shown, Agreement.DISAGREE}
    ]


def answer_share(comparison: Comparison) -> Share:
    counts = comparison.coverage.counts
    agree = counts[Agreement.AGREE]
    return Share("Whole answer", agree, agree + counts[Agreement.DISAGREE])


def field_shares(comparison: Comparison) -> list[Share]:
    return [
        Share(field.label, field.agree, field.agree + field.disagree)
        for field in comparison.field_agreements
    ]


def sides_of(comparison: Comparison, batches: Sequence[Batch]) -> list[Side]:
    return [
        Side(*values)
        for values in zip(
            LETTERS, batches, comparison.totals, comparison.coverage.only, strict=False
        )
    ]


def combinations_of(comparison: Comparison) -> list[Combination]:
    return [
        Combination(
            [Outcome(value) if value else None for value in values],
            number,
            urlencode({"o": [value or NO_RESULT for value in values]}, doseq=True),
        )
        for values, number in comparison.outcomes[:MAX_COMBINATIONS]
    ]


def rows_of(rows: Sequence[ComparedRow], batches: Sequence[Batch]) -> list[Row]:
    """Return the rows with their differences; only parts of long texts are compared."""
    return [Row(row, LABELS[row.agreement], list(_cells(row, batches))) for row in rows]


def _cells(row: ComparedRow, batches: Sequence[Batch]) -> Iterator[Cell]:
    """Yield the results of a row: two differ from each other, more from the first one."""
    answered = [result for result in row.results if result and result.outcome.is_answer]
    shown = dict(
        zip(map(id, answered), excerpts([answer.text for answer in answered]), strict=True)
    )
    first = answered[0] if answered else None
    for letter, batch, result in zip(LETTERS, batches, row.results, strict=False):
        text = result.text[:EXCERPT_LENGTH] if result else NOT_HERE
        pieces = [Piece(text, differs=False)]
        if result and first and id(result) in shown:
            pieces = [Piece(shown[id(result)], differs=False)]
            if result is not first:
                _, pieces = diff_words(shown[id(first)], shown[id(result)])
            elif len(answered) == 2:
                pieces, _ = diff_words(shown[id(first)], shown[id(answered[1])])
        yield Cell(letter, batch, result, pieces)


def questions_text(comparison: Comparison) -> str:
    """Warn that the batches do not ask the same; "" if they do."""
    number = comparison.coverage.other_questions
    return f"The prompts differ for {count(number, 'custom_id')}." if number else ""

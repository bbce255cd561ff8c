"""Read the results of a batch, block by block, with their questions and answers."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from batchapp.domain.money.unit_prices import UnitPrice, Usage, cost
from batchapp.domain.results.answer_json import AnswerField, answer_fields
from batchapp.domain.results.conversation import last_question
from batchapp.domain.results.outcome import (
    SUCCEEDED,
    MalformedLine,
    Outcome,
    answer_text,
    storable_text,
)
from batchapp.domain.results.problem_groups import kind_of
from batchapp.domain.results.retry_selection import ADVICE
from batchapp.models import Batch, ModelCost, ProviderBatch, Result
from batchapp.models.batches import lineage
from batchapp.services.results.chunk_files import ChunkFiles
from batchapp.services.results.columns.schema import MAX_SEARCHED, MAX_TEXT
from batchapp.services.results.reused_answers import RequestFiles

LINES_PER_READ = 5_000  # rows of one query
BYTES_PER_BLOCK = 16 * 1024 * 1024  # of requests and answers that are in memory at once
MAX_REQUEST_BYTES = 1024 * 1024  # of a request whose question is read; images are longer
MAX_ANSWER_BYTES = 16 * 1024 * 1024  # of a result line whose answer is read


class _Request(NamedTuple):
    """The columns of a row that belong to the request."""

    line: int
    custom_id: str
    request_at: int
    request_bytes: int


class _Answer(NamedTuple):
    """The columns of a row that belong to the answer, in the order of their names in a query."""

    model: str
    outcome: str
    status_code: int | None
    finish_reason: str
    answer_model: str
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    error_code: str
    error_message: str
    result_chunk_id: int | None
    answer_at: int | None
    answer_bytes: int | None
    provider_batch_id: UUID | None
    written_5m_tokens: int | None
    written_1h_tokens: int | None
    written_24h_tokens: int | None

    @property
    def usage(self) -> Usage | None:
        """Return the tokens of the answer; None if their number is unknown."""
        if self.input_tokens is None or self.output_tokens is None:
            return None
        tokens = self.input_tokens, self.output_tokens, self.cached_tokens or 0
        return Usage(1, *tokens, *(count or 0 for count in self[-3:]))


COPIED = _Answer._fields[:10]  # into columns of the same names


class _Row(NamedTuple):
    """A request with the answer that counts; ``attempt`` is the other batch that gave it, if any.

    A request that was not sent reuses the answer, and has the position of the request there.
    """

    request: _Request
    answer: _Answer
    attempt: UUID | None
    is_sent: bool = True

    @property
    def size(self) -> int:
        """Return the bytes that are read for the row."""
        return self.request.request_bytes + (self.answer.answer_bytes or 0)


class ResultBlock(NamedTuple):
    """Some results: column -> values, and for each result the fields of its answer."""

    columns: dict[str, list[Any]]
    fields: list[dict[str, AnswerField]]


def read_blocks(batch: Batch, *, merged: bool) -> Iterator[ResultBlock]:
    """Yield the results of ``batch`` in the order of its file.

    With ``merged``, a request that a retry has answered has the answer of the retry, and one that
    was not sent has question and answer of the result that it reuses, without a cost. Otherwise
    only what was sent is read. The texts of one block are in memory at once.

    Raises:
        OSError: the file of the batch or a result file is gone.
    """
    prices = _prices(batch)
    with ExitStack() as stack:
        requests = RequestFiles(batch, stack)
        chunks = stack.enter_context(ChunkFiles())
        for rows in _blocks(_rows(batch, merged=merged)):
            yield _Block(batch.pk, requests, chunks, prices).read(rows)


def _rows(batch: Batch, *, merged: bool) -> Iterator[_Row]:
    names = [*_Request._fields, *_Answer._fields]
    if merged and (batch.reused or batch.retries.exists()):
        others = ("batch_id", "request_at", "request_bytes", *_Answer._fields)
        names += [f"retried__{name}" for name in others]
    results = Result.objects.filter(batch=batch)
    results = results if merged else results.sent()
    first, second = len(_Request._fields), len(_Request._fields) + len(_Answer._fields)
    for block in results.blocks(LINES_PER_READ):
        for values in block.values_list(*names):
            request, own = _Request(*values[:first]), _Answer(*values[first:second])
            attempt, *other = values[second:] or (None,)
            if attempt is None:
                yield _Row(request, own, None)
                continue
            is_sent = own.outcome != Outcome.REUSED
            if not is_sent:
                request = request._replace(request_at=other[0], request_bytes=other[1])
            yield _Row(request, _Answer(*other[2:]), attempt, is_sent)


def _blocks(rows: Iterator[_Row]) -> Iterator[list[_Row]]:
    """Group rows so that the bytes to read for a group stay within ``BYTES_PER_BLOCK``."""
    block: list[_Row] = []
    size = 0
    for row in rows:
        if block and (size + row.size > BYTES_PER_BLOCK or len(block) == LINES_PER_READ):
            yield block
            block, size = [], 0
        block.append(row)
        size += row.size
    if block:
        yield block


class _Block:
    def __init__(
        self,
        batch: UUID,
        requests: RequestFiles,
        chunks: ChunkFiles,
        prices: Mapping[tuple[UUID, str], UnitPrice],
    ) -> None:
        self._batch = batch
        self._requests = requests
        self._chunks = chunks
        self._prices = prices
        self._submissions: dict[UUID, datetime | None] = {}

    def read(self, rows: list[_Row]) -> ResultBlock:
        self._chunks.load(
            row.answer.result_chunk_id for row in rows if row.answer.result_chunk_id is not None
        )
        texts = [self._text(row.answer) for row in rows]
        questions = [self._question(row) for row in rows]
        columns: dict[str, list[Any]] = {
            "line": [row.request.line for row in rows],
            "custom_id": [storable_text(row.request.custom_id) for row in rows],
            "attempt": [
                row.attempt.hex if row.attempt not in {None, self._batch} else "" for row in rows
            ],
            "problem": [_problem(row) for row in rows],
            "cost_usd": [self._cost(row) for row in rows],
            "question": [text[:MAX_TEXT] for text in questions],
            "question_length": [len(text) for text in questions],
            "answer": [text[:MAX_TEXT] for text in texts],
            "answer_length": [
                len(text) if row.answer.outcome in SUCCEEDED else None
                for row, text in zip(rows, texts, strict=True)
            ],
        }
        copied = zip(*(row.answer[: len(COPIED)] for row in rows), strict=True)
        columns |= {name: list(values) for name, values in zip(COPIED, copied, strict=True)}
        searched = (columns[name] for name in ("custom_id", "question", "answer", "error_message"))
        columns["searched"] = [
            "\n".join(text[:MAX_SEARCHED] for text in found if text).lower()
            for found in zip(*searched, strict=True)
        ]
        return ResultBlock(columns, [answer_fields(text) for text in texts])

    def _question(self, row: _Row) -> str:
        request = row.request
        if request.request_bytes > MAX_REQUEST_BYTES:
            return ""
        batch = self._batch if row.is_sent else row.attempt or self._batch
        line = self._requests.read(batch, request.request_at, request.request_bytes)
        return storable_text(last_question(line))

    def _text(self, answer: _Answer) -> str:
        chunk, start, length = answer.result_chunk_id, answer.answer_at, answer.answer_bytes
        if chunk is None or start is None or not length or length > MAX_ANSWER_BYTES:
            return ""
        try:
            return answer_text(self._chunks.line(chunk, start, length))
        except MalformedLine:  # its bytes were damaged after the harvest
            return ""

    def _cost(self, row: _Row) -> Decimal | None:
        answer = row.answer
        price = self._prices.get((row.attempt or self._batch, answer.model))
        if answer.outcome not in SUCCEEDED or not row.is_sent:
            return None
        if price is None or answer.usage is None:
            return None
        if price.cached_until and answer.provider_batch_id:
            price = price.at(self._submitted_at(answer.provider_batch_id))
        return cost(answer.usage, price)

    def _submitted_at(self, provider_batch: UUID) -> datetime | None:
        if provider_batch not in self._submissions:
            rows = ProviderBatch.objects.filter(pk=provider_batch)
            self._submissions[provider_batch] = rows.values_list("submitted_at", flat=True).first()
        return self._submissions[provider_batch]


def _problem(row: _Row) -> str:
    """Return the key of the problem that the batch has with the request, "" for none."""
    answer = row.answer
    if row.attempt is not None or answer.outcome not in ADVICE:
        return ""
    return _problem_key(
        answer.outcome, answer.status_code, answer.error_code, answer.error_message
    )


@lru_cache(maxsize=1_000)
def _problem_key(outcome: str, status_code: int | None, error_code: str, message: str) -> str:
    return kind_of(outcome, status_code, error_code, message).key


def _prices(batch: Batch) -> dict[tuple[UUID, str], UnitPrice]:
    """Return (batch, model) -> price, for ``batch`` and the batches that retry it."""
    model_costs = ModelCost.objects.filter(batch__in=lineage.batch_and_retries(batch))
    prices = {(cost.batch_id, cost.model): cost.unit_price for cost in model_costs}
    return {key: price for key, price in prices.items() if price}

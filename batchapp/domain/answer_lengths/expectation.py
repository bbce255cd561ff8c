"""The expected output of a request, and the sums of many requests with their basis in words."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from batchapp.domain.answer_lengths.length import Length, Span, unsaid
from batchapp.domain.answer_lengths.reasoning import NO_REASONING, Reasoning

MAX_SUMS = 4_096  # of one file; requests of further kinds count as those of an earlier kind
NAMED_KINDS = 3  # kinds of answers that a basis names, the most frequent first
MAX_BASIS = 200  # characters of a basis, as a batch stores it
# A file names the lengths of its answers if at least so many of its requests do.
MOSTLY = 0.9

REQUESTED_ANSWERS = "from the answers that the requests ask for"
UNSAID = "the requests do not say how long an answer is"


# Compared by identity: ``expect`` returns the same object for the same values, and a check looks
# up the expectation of every line.
@dataclass(frozen=True, slots=True, eq=False)
class Expectation:
    """The output that one request leads to: ``answers`` of a ``length``, after some thinking.

    ``limit`` bounds the tokens of one answer and its thinking. ``other_tokens`` of the input are
    no text that the answer follows, but instructions. ``is_fixed`` if another question to the
    same instructions would lead to the same expectation.
    """

    length: Length
    reasoning: Reasoning = NO_REASONING
    answers: int = 1
    limit: int | None = None
    other_tokens: int = 0
    is_fixed: bool = True

    def tokens(self, input_tokens: float) -> Span:
        """Return the output tokens of a request with ``input_tokens``."""
        length = self.length
        tokens = length.tokens if length.words else unsaid(self.limit)
        if length.share.high:
            text = min(max(input_tokens - self.other_tokens, 0), length.longest)
            tokens = tokens.plus(length.share.times(text))
        tokens = tokens.plus(self.reasoning.tokens)
        if self.limit is not None:
            tokens = tokens.limited(self.limit)
        return tokens.times(self.answers)


expect = lru_cache(maxsize=MAX_SUMS)(Expectation)
NO_OUTPUT = expect(Length("no text", Span(0, 0, 0)))


@dataclass(frozen=True, slots=True)
class ExpectedOutput:
    """The output tokens of all requests to one model; ``basis`` says in words why.

    ``is_said`` if nearly all requests say how long their answers are, and nothing is thought.
    """

    low: int
    expected: int
    high: int
    basis: str
    is_said: bool


class OutputSums:
    """Counts the requests of a file and their input, by model and expectation."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, Expectation], list[int]] = {}

    def add(
        self, model: str, expectation: Expectation, input_tokens: int, requests: int = 1
    ) -> None:
        """Add so many requests with the same expectation, and all their input tokens."""
        sums = self._sums.get((model, expectation))
        if sums is None:
            sums = self._make_sums(model, expectation)
        sums[0] += requests
        sums[1] += input_tokens

    def _make_sums(self, model: str, expectation: Expectation) -> list[int]:
        if len(self._sums) >= MAX_SUMS:
            known = next((key for key in reversed(self._sums) if key[0] == model), None)
            if known:
                return self._sums[known]
        return self._sums.setdefault((model, expectation), [0, 0])

    def by_model(self) -> dict[str, ExpectedOutput]:
        """Return the expected output of each model whose requests have any."""
        kinds: dict[str, list[tuple[Expectation, int, int]]] = {}
        for (model, expectation), (requests, input_tokens) in self._sums.items():
            if expectation is not NO_OUTPUT:
                kinds.setdefault(model, []).append((expectation, requests, input_tokens))
        return {model: _sum_up(rows) for model, rows in kinds.items()}


def _sum_up(rows: Iterable[tuple[Expectation, int, int]]) -> ExpectedOutput:
    total = Span(0, 0, 0)
    thinking = 0.0
    requests: dict[str, int] = {}
    reasons: dict[str, int] = {}
    for expectation, number, input_tokens in rows:
        # The sum of texts is bounded like their mean: the file keeps no figure of single requests.
        total = total.plus(expectation.tokens(input_tokens / number).times(number))
        words, reasoning = expectation.length.words, expectation.reasoning
        requests[words] = requests.get(words, 0) + number
        thinking += reasoning.tokens.expected * number
        if reasoning.words:
            reasons[reasoning.words] = reasons.get(reasoning.words, 0) + number
    count = sum(requests.values())
    said = count - requests.get("", 0)
    basis = _basis(requests, total.expected / count)
    if reasons:
        basis = _with_reasoning(basis, reasons, thinking / sum(reasons.values()))
    low, expected, high = (round(tokens) for tokens in total)
    return ExpectedOutput(
        low,
        max(expected, low),
        max(high, expected),
        basis[:MAX_BASIS],
        is_said=said >= MOSTLY * count and not thinking,
    )


def _basis(requests: dict[str, int], usual: float) -> str:
    """Say what the requests ask for, with numbers of requests if that is several things."""
    kinds = sorted(requests, key=lambda words: -requests[words])
    if kinds == [""]:
        return f"{UNSAID}; about {round(usual):,} tokens each, as in public chats"
    if len(kinds) == 1:
        return f"{REQUESTED_ANSWERS}: {kinds[0]}"
    named = [f"{words or 'not said'} ({requests[words]:,})" for words in kinds[:NAMED_KINDS]]
    more = f" and {len(kinds) - len(named):,} more" if len(kinds) > len(named) else ""
    return f"{REQUESTED_ANSWERS}: {', '.join(named)}{more}"


def _with_reasoning(basis: str, reasons: dict[str, int], usual: float) -> str:
    words = max(reasons, key=lambda reason: reasons[reason])
    addition = f", and about {round(usual, -1):,.0f} tokens of thinking each, {words}"
    room = MAX_BASIS - len(addition)
    return (basis if len(basis) <= room else f"{basis[: room - 1].rstrip(' ,;:')}…") + addition

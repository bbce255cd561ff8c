"""Group requests without a good answer by what they have in common."""

import hashlib
from collections.abc import Iterator

import msgspec

from batchapp.domain.results.outcome import FAILED, Outcome
from batchapp.domain.results.signatures import signature_of

MAX_GROUPS = 200  # that are kept; the requests of rarer ones are only counted
MAX_TRACKED = 20_000  # groups in memory at once; the requests of later ones are only counted
MAX_SAMPLES = 3  # of a group
MAX_MESSAGE = 1_000  # characters of a message that is kept


class ProblemKind(msgspec.Struct, frozen=True):
    """The outcome, status and message that the requests of a group have in common.

    ``status_code`` is None for answers: all have a status that says nothing of them.
    """

    outcome: Outcome
    status_code: int | None
    signature: str

    @property
    def key(self) -> str:
        """Return a short name for addresses."""
        text = f"{self.outcome} {self.status_code} {self.signature}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def kind_of(outcome: str, status_code: int | None, error_code: str, message: str) -> ProblemKind:
    """Return the kind of a result; without a message its error code stands for one."""
    status = status_code if outcome in FAILED else None
    return ProblemKind(Outcome(outcome), status, signature_of(message or error_code))


class Sample(msgspec.Struct, frozen=True):
    """A request of a group, by its line, with the message that came for it."""

    line: int
    message: str


class ProblemGroup(msgspec.Struct):
    """``number`` requests of one kind, from line ``first`` to line ``last``.

    ``samples`` are some of the first of them, in the order of their lines.
    """

    kind: ProblemKind
    error_code: str
    number: int
    first: int
    last: int
    samples: list[Sample]


class Problems(msgspec.Struct):
    """The largest groups of a batch; ``others`` are the requests of all smaller ones."""

    groups: list[ProblemGroup] = []
    others: int = 0

    @property
    def total(self) -> int:
        return self.others + sum(group.number for group in self.groups)

    def find(self, key: str) -> ProblemGroup | None:
        return next((group for group in self.groups if group.kind.key == key), None)


class Grouper:
    """Adds up results that have the same outcome, status, code and message."""

    def __init__(self) -> None:
        self._groups: dict[ProblemKind, ProblemGroup] = {}
        self._others = 0

    def add(
        self,
        outcome: str,
        status_code: int | None,
        error_code: str,
        message: str,
        *,
        number: int,
        first: int,
        last: int,
    ) -> None:
        """Add ``number`` results with the same message, from line ``first`` to ``last``."""
        kind = kind_of(outcome, status_code, error_code, message)
        group = self._groups.get(kind)
        if group is None:
            if len(self._groups) == MAX_TRACKED:
                self._others += number
                return
            group = ProblemGroup(kind, error_code, 0, first, last, [])
            self._groups[kind] = group
        group.number += number
        group.first, group.last = min(group.first, first), max(group.last, last)
        if len(group.samples) < MAX_SAMPLES or first < group.samples[-1].line:
            samples = [*group.samples, *_samples(message, number, first, last)]
            group.samples = sorted(samples, key=lambda sample: sample.line)[:MAX_SAMPLES]

    def problems(self) -> Problems:
        groups = sorted(self._groups.values(), key=lambda group: (-group.number, group.first))
        rare = sum(group.number for group in groups[MAX_GROUPS:])
        return Problems(groups[:MAX_GROUPS], self._others + rare)


def _samples(message: str, number: int, first: int, last: int) -> Iterator[Sample]:
    yield Sample(first, message[:MAX_MESSAGE])
    if number > 1:
        yield Sample(last, message[:MAX_MESSAGE])

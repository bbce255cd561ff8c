"""Which requests of a file are not sent, because another request has their answer."""

from datetime import datetime

import msgspec


class ReuseChoice(msgspec.Struct, frozen=True):
    """The choice of a person not to send some requests; by default all are sent.

    ``keep``: requests that a finished batch has answered. ``once``: repeats of an earlier line.
    Requests that ask for variety are covered only by ``keep_sampled`` and ``once_sampled``.
    """

    keep: bool = False
    keep_sampled: bool = False
    once: bool = False
    once_sampled: bool = False

    @property
    def is_empty(self) -> bool:
        return not (self.keep or self.keep_sampled or self.once or self.once_sampled)

    def keeps(self, *, is_sampled: bool) -> bool:
        return self.keep_sampled if is_sampled else self.keep

    def sends_once(self, *, is_sampled: bool) -> bool:
        return self.once_sampled if is_sampled else self.once


class AnswerSource(msgspec.Struct, frozen=True):
    """A batch whose answers are kept for ``requests`` requests, under its name at that time."""

    batch: str
    name: str
    finished_at: datetime | None
    requests: int


class ReuseOffer(msgspec.Struct, frozen=True):
    """The requests of a checked file that need not be sent, counted by model.

    ``sources`` have the answers of ``kept`` and ``kept_sampled``, the newest batch first.
    ``repeats`` and ``repeats_sampled`` are equal to an earlier request of the file.
    """

    sources: list[AnswerSource] = []
    kept: dict[str, int] = {}
    kept_sampled: dict[str, int] = {}
    repeats: dict[str, int] = {}
    repeats_sampled: dict[str, int] = {}

    @property
    def is_empty(self) -> bool:
        return not (self.kept or self.kept_sampled or self.repeats or self.repeats_sampled)


class Reuse(msgspec.Struct, frozen=True):
    """The origin of a file: the name of the ``original``, and the ``choice`` not to send some.

    ``kept``, ``repeats`` and ``sources`` are None and empty until the file is written.
    """

    choice: ReuseChoice
    original: str
    kept: int | None = None
    repeats: int = 0
    sources: list[AnswerSource] = []

    @property
    def summary(self) -> str:
        """Return "8,760 answers kept, 40 repeats not sent"; "" before the file is written."""
        if self.kept is None:
            return ""
        kept = f"{self.kept:,} {'answer' if self.kept == 1 else 'answers'} kept"
        repeats = f"{self.repeats:,} {'repeat' if self.repeats == 1 else 'repeats'} not sent"
        return ", ".join(([kept] if self.kept else []) + ([repeats] if self.repeats else []))

    @property
    def total(self) -> int:
        """Return how many requests of the original are not sent."""
        return (self.kept or 0) + self.repeats


class ReusedRequest(msgspec.Struct, frozen=True, array_like=True):
    """One request that is not sent: it gets the answer of a result, or of a line of its file.

    ``answer`` is the primary key of a result, ``same_as`` the number of the first line that asks
    the same; the other one of them is 0.
    """

    line: int
    custom_id: str
    model: str
    answer: int = 0
    same_as: int = 0

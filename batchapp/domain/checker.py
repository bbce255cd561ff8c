"""The state of one check: line after line in, one report out."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from batchapp.domain import lines, rows, rules, sniff, tokens
from batchapp.domain.faults import FaultLog
from batchapp.domain.limits import Limits
from batchapp.domain.lines import Line
from batchapp.domain.report import ModelFacts, Report

MODELS_KEPT = 1_000
"""More names than any provider offers: they were meant for another field."""

ADDED_UP = (
    *("requests", "input_tokens", "expected_output_tokens", "max_output_tokens"),
    *("unbounded_requests", "attachments", "assumed_attachments"),
)


class Checker:
    """Remembers, of each line, its number and two hashes; the rest are sums."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.longest_line = limits.longest_line
        self.log = FaultLog()
        self._explains = True
        self.requests = 0
        self.models: dict[str, ModelFacts] = {}
        self.repeated: dict[str, ModelFacts] = {}
        self.urls: Counter[str] = Counter()
        # Python keys the hash of a string per process: 8 bytes that no file can be made to meet.
        self._first_lines: dict[int, int] = {}
        self._first_bodies: dict[int, int] = {}

    def read(self, line: Line) -> None:
        """Take the next line; its ``data`` needs no more than ``longest_line`` bytes."""
        data, number = line.data, line.number
        if data.startswith(sniff.BOM):
            self.log.add(*_byte_order_mark(number), line=number, offset=line.offset)
            data = data.removeprefix(sniff.BOM)
        data = lines.trimmed(data)
        if not data:
            return
        self.requests += 1
        if line.length > self.longest_line:
            row = rows.too_long(data, line.length, self.limits)
        else:
            row = rows.examine(data, self.limits, explain=self._explains)
        if row.request is None:
            self._note(row.findings, line, row.custom_id)
            self._explains = self.log.has_room("invalid_json")
            return
        duplicate = self._duplicate(row.custom_id, number)
        if row.findings or duplicate:
            self._note([*row.findings, *duplicate], line, row.custom_id)
        if duplicate or row.has_error:
            return
        if b"\r" in data:
            self._note([_carriage_return(number)], line, row.custom_id)
        body, url = row.request["body"], row.request["url"]
        if repeated := self._repetition(row, number):
            self._note([*repeated], line, row.custom_id)
            with self._repeating(body["model"]):
                self._count(body, url, number, row.custom_id)
        else:
            self._count(body, url, number, row.custom_id)

    def report(
        self, size: int, archive: rules.Finding | None = None, *, is_gzip: bool = False
    ) -> Report:
        """Close the check of a file of ``size`` bytes; ``archive`` is why it ended too early."""
        if archive:
            self.log.add(*archive)
        else:
            self._judge_size(size)
        self._judge_mixture()
        return Report(
            requests=self.requests,
            bytes=size,
            faults=self.log.faults,
            fault_totals=dict(self.log.totals),
            severities=self.log.severities,
            models=self.models,
            urls=dict(self.urls),
            repeated=self.repeated,
            is_gzip=is_gzip,
        )

    def _note(self, findings: list[rules.Finding], line: Line, custom_id: str) -> None:
        for found in findings:
            self.log.add(*found, line=line.number, custom_id=custom_id, offset=line.offset)

    def _duplicate(self, custom_id: str, number: int) -> tuple[rules.Finding, ...]:
        if not custom_id or custom_id.isspace():
            return ()
        first = self._first_lines.setdefault(hash(custom_id), number)
        if first == number:
            return ()
        message = (
            f"custom_id {rules.quoted(custom_id)} of line {number:,} is already used on line "
            f"{first:,}; their results could not be told apart, so give each request its own."
        )
        return (rules.Finding("duplicate_custom_id", message, first),)

    def _repetition(self, row: rows.Row, number: int) -> tuple[rules.Finding, ...]:
        """Whether an earlier line has the same body, byte for byte."""
        first = self._first_bodies.setdefault(hash(row.body), number)
        if first == number:
            return ()
        message = (
            f"Line {number:,} asks word for word what line {first:,} asks, and is paid for again; "
            "drop it unless you want another answer."
        )
        return (rules.Finding("identical_body", message, first),)

    @contextmanager
    def _repeating(self, model: str) -> Iterator[None]:
        """Add what is counted meanwhile to the sums of what is repeated, too."""
        facts = self.models.get(model)
        before = facts and msgspec.structs.replace(facts)
        yield
        if facts is None or before is None:  # a model too many: it was not counted
            return
        sums = self.repeated.setdefault(model, ModelFacts())
        sums.embeddings, sums.exact = facts.embeddings, facts.exact
        for name in ADDED_UP:
            grown = getattr(facts, name) - getattr(before, name)
            setattr(sums, name, getattr(sums, name) + grown)

    def _count(self, body: dict[str, Any], url: str, number: int, custom_id: str) -> None:
        """Add one good request to the facts of its model."""
        facts = self.models.get(body["model"])
        if facts is None:
            if len(self.models) >= MODELS_KEPT:
                message = (
                    f"The file names more than {MODELS_KEPT:,} models; body.model must be one "
                    "that the connection offers."
                )
                self.log.add("too_many_models", message, line=number, custom_id=custom_id)
                return
            facts = self.models[body["model"]] = ModelFacts(embeddings=True, exact=True)
        self.urls[url] += 1
        size = tokens.measure(body, url)
        output = tokens.output(body, url, size.tokens)
        facts.requests += 1
        facts.input_tokens += size.tokens
        facts.attachments += size.attachments
        facts.assumed_attachments += size.assumed
        facts.exact = facts.exact and size.is_exact
        facts.expected_output_tokens += output.expected
        facts.embeddings = facts.embeddings and url == "/v1/embeddings"
        facts.unbounded_requests += output.limit is None
        facts.max_output_tokens += output.limit or 0

    def _judge_size(self, size: int) -> None:
        most = self.limits.max_requests
        if not size:
            self.log.add("empty_file", "The file is empty; put one request on each line.")
        elif not self.requests:
            self.log.add(
                "only_blank_lines", "The file has only blank lines; put one request on each line."
            )
        if size > self.limits.max_bytes:
            self.log.add(
                "too_many_bytes",
                f"The file has {size:,} bytes and at most {self.limits.max_bytes:,} are accepted; "
                "split it into several.",
            )
        if most is not None and self.requests > most:
            self.log.add(
                "too_many_requests",
                f"The file has {self.requests:,} requests and at most {most:,} are accepted; "
                "split it into several.",
            )

    def _judge_mixture(self) -> None:
        unbounded = sum(facts.unbounded_requests for facts in self.models.values())
        if unbounded:
            requests = "1 request sets" if unbounded == 1 else f"{unbounded:,} requests set"
            message = (
                f"{requests} no limit on the answer's length, so there is no highest price; add "
                "max_tokens to have one."
            )
            self.log.add_total("no_max_tokens", message, unbounded)
        if len(self.models) > 1:
            self.log.add(
                "mixed_models",
                f"The requests go to {len(self.models):,} models; each is priced on its own. "
                "Split the file if that is not meant.",
            )
        if len(self.urls) > 1:
            self.log.add(
                "mixed_urls",
                f"The requests go to {len(self.urls):,} urls ({', '.join(sorted(self.urls))}); "
                "Doubleword takes them together, other providers want a file for each.",
            )


def _byte_order_mark(number: int) -> rules.Finding:
    where = "The file" if number == 1 else f"Line {number:,}"
    return rules.Finding(
        "byte_order_mark",
        f"{where} begins with a byte order mark, which the provider reads as broken JSON; "
        "save it as UTF-8 without BOM.",
    )


def _carriage_return(number: int) -> rules.Finding:
    """JSON takes it for a space, and many editors for the end of a line."""
    return rules.Finding(
        "carriage_return",
        f"Line {number:,} has a carriage return in its middle. That is allowed, but some editors "
        "begin a new line there, and count on from it.",
    )

"""The state of one check: line after line in, one report out."""

from collections import Counter
from typing import Any

from batchapp.domain import reading, rules, sniff, tokens
from batchapp.domain.faults import SEVERITIES, FaultLog
from batchapp.domain.limits import Limits
from batchapp.domain.lines import Line
from batchapp.domain.report import ModelFacts, Report

ENVELOPE_BYTES = 1024 * 1024
"""Room for what stands around a body. A line longer than both is measured, never held."""

MODELS_KEPT = 1_000
"""More names than any provider offers: they were meant for another field."""

BLANKS = b" \t\r"
MIB = 1024 * 1024


class Checker:
    """Remembers, of each line, its number and a hash of its custom_id; the rest are sums."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.longest_line = limits.max_body_bytes + ENVELOPE_BYTES
        self.log = FaultLog()
        self.requests = 0
        self.models: dict[str, ModelFacts] = {}
        self.urls: Counter[str] = Counter()
        # Python keys the hash of a string per process: 8 bytes that no file can be made to meet.
        self._first_lines: dict[int, int] = {}

    def read(self, line: Line) -> None:
        """Take the next line; its ``data`` needs no more than ``longest_line`` bytes."""
        data = line.data
        if line.number == 1 and data.startswith(sniff.BOM):
            self.log.add(
                "byte_order_mark",
                "The file begins with a byte order mark, which the provider reads as broken JSON; "
                "save it as UTF-8 without BOM.",
                line=1,
            )
            data = data.removeprefix(sniff.BOM)
        data = data.strip(BLANKS)
        if not data:
            return
        self.requests += 1
        read = self._read(data, line.length)
        if isinstance(read, rules.Finding):
            self.log.add(*read, line=line.number, custom_id=reading.visible_id(data))
        else:
            self._examine(read, data, line.number)

    def report(self, size: int) -> Report:
        """Close the check of a file of ``size`` bytes."""
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
        )

    def _read(self, data: bytes, length: int) -> dict[str, Any] | rules.Finding:
        if length <= self.longest_line:
            return reading.read_object(data, explain=self.log.has_room("invalid_json"))
        return rules.Finding(
            "line_too_long",
            f"The line has {length / MIB:,.1f} MiB and its body may have at most "
            f"{self.limits.max_body_bytes / MIB:,.1f}; shorten it, or refer to images by address.",
        )

    def _examine(self, request: dict[str, Any], data: bytes, number: int) -> None:
        """Apply every rule to one request, and add it to the sums if it has no error."""
        custom_id = request.get("custom_id")
        shown = custom_id if isinstance(custom_id, str) else ""
        has_error = False
        for found in (
            *reading.repeated_keys(data),
            *rules.findings(request, self.limits.urls),
            *self._body_size(data),
            *self._duplicate(shown, number),
        ):
            self.log.add(*found, line=number, custom_id=shown)
            has_error = has_error or found.code not in SEVERITIES
        if not has_error:
            self._count(request["body"], request["url"], number, shown)

    def _body_size(self, data: bytes) -> tuple[rules.Finding, ...]:
        limit = self.limits.max_body_bytes
        if len(data) <= limit or (size := reading.body_length(data)) <= limit:
            return ()
        message = (
            f"body has {size:,} bytes and at most {limit:,} are accepted; shorten it, or refer to "
            "images by address."
        )
        return (rules.Finding("body_too_large", message),)

    def _duplicate(self, custom_id: str, number: int) -> tuple[rules.Finding, ...]:
        if not custom_id.strip():
            return ()
        first = self._first_lines.setdefault(hash(custom_id), number)
        if first == number:
            return ()
        message = (
            f"custom_id {rules.quoted(custom_id)} of line {number:,} is already used on line "
            f"{first:,}; their results could not be told apart, so give each request its own."
        )
        return (rules.Finding("duplicate_custom_id", message),)

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
            facts = self.models[body["model"]] = ModelFacts(embeddings=True)
        self.urls[url] += 1
        size = tokens.measure(body, url)
        output = tokens.output(body, url, size.tokens)
        facts.requests += 1
        facts.input_tokens += size.tokens
        facts.attachments += size.attachments
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

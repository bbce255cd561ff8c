"""The state of one check: line after line in, one report out."""

from collections import Counter
from collections.abc import Iterable

from batchapp.domain.request_files.fast.first_lines import FirstLines
from batchapp.domain.request_files.findings import FindingLog
from batchapp.domain.request_files.limits import MAX_PROVIDER_BATCHES, Limits
from batchapp.domain.request_files.line_report import NO_LIMIT, LineReport
from batchapp.domain.request_files.report import ModelFacts, Report
from batchapp.domain.request_files.rules import request_rules, request_shape
from batchapp.domain.request_files.splitting import Splitter

MODELS_KEPT = 1_000
"""More names than any provider offers: they were meant for another field."""


class FileChecker:
    """Remembers, of each line, its number and two hashes; the rest are sums."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.log = FindingLog()
        self.requests = 0
        self.models: dict[str, ModelFacts] = {}
        self.repeated: dict[str, ModelFacts] = {}
        self.urls: Counter[str] = Counter()
        self._shapes = request_shape.ShapeCounts()
        self._divider = Splitter(limits)
        self._custom_ids, self._bodies = FirstLines(), FirstLines()

    def read(self, line_report: LineReport, number: int, offset: int) -> None:
        """Take the next line, which begins at byte ``offset``."""
        if line_report.has_mark:
            self.log.add(*_byte_order_mark(number), line=number, offset=offset)
        if line_report.is_blank:
            return
        self.requests += 1
        self._divider.add(offset, line_report.length)
        if line_report.is_request:
            duplicate = self._duplicate(line_report.custom_id, number)
            if duplicate or line_report.has_error:
                self._note([*line_report.findings, *duplicate], line_report, number, offset)
                return
        if line_report.findings:
            self._note(line_report.findings, line_report, number, offset)
        if not line_report.is_request:
            return
        if line_report.has_return:
            self._note([_carriage_return(number)], line_report, number, offset)
        first = self._bodies.first(line_report.body, number)
        if first != number:
            self._note([_repetition(number, first)], line_report, number, offset)
        self._count(line_report, number, is_repeated=first != number)

    def report(
        self,
        size: int,
        archive: request_rules.RequestFinding | None = None,
        *,
        is_gzip: bool = False,
    ) -> Report:
        """Close the check of a file of ``size`` bytes; ``archive`` is why it ended too early."""
        if archive:
            self.log.add(*archive)
        else:
            self._judge_size(size)
        self._judge_mixture()
        for model, facts in self.models.items():
            facts.shape = self._shapes.usual(model, facts.requests)
        return Report(
            requests=self.requests,
            bytes=size,
            findings=self.log.findings,
            finding_totals=dict(self.log.totals),
            severities=self.log.severities,
            models=self.models,
            urls=dict(self.urls),
            repeated=self.repeated,
            is_gzip=is_gzip,
            provider_batches=self.provider_batches(size),
        )

    def _note(
        self,
        findings: Iterable[request_rules.RequestFinding],
        line_report: LineReport,
        number: int,
        offset: int,
    ) -> None:
        for found in findings:
            self.log.add(*found, line=number, custom_id=line_report.custom_id, offset=offset)

    def _duplicate(self, custom_id: str, number: int) -> tuple[request_rules.RequestFinding, ...]:
        if not custom_id or custom_id.isspace():
            return ()
        first = self._custom_ids.first(hash(custom_id), number)
        if first == number:
            return ()
        message = (
            f"custom_id {request_rules.quote(custom_id)} of line {number:,} is already used on "
            f"line {first:,}; their results could not be told apart, so give each request its own."
        )
        return (request_rules.RequestFinding("duplicate_custom_id", message, first),)

    def _count(self, line_report: LineReport, number: int, *, is_repeated: bool) -> None:
        """Add one good request to the facts of its model."""
        model = line_report.model
        facts = self.models.get(model)
        if facts is None:
            if len(self.models) >= MODELS_KEPT:
                message = (
                    f"The file names more than {MODELS_KEPT:,} models; body.model must be one "
                    "that the connection offers."
                )
                self.log.add(
                    "too_many_models", message, line=number, custom_id=line_report.custom_id
                )
                return
            facts = self.models[model] = ModelFacts(embeddings=True, exact=True)
        self.urls[line_report.url] += 1
        if line_report.shape:
            self._shapes.add(model, line_report.shape)
        _add(line_report, facts)
        facts.exact = facts.exact and line_report.is_exact
        facts.embeddings = facts.embeddings and line_report.url == "/v1/embeddings"
        if is_repeated:
            sums = self.repeated.setdefault(model, ModelFacts())
            sums.embeddings, sums.exact = facts.embeddings, facts.exact
            _add(line_report, sums)

    def _judge_size(self, size: int) -> None:
        limits = self.limits
        if not size:
            self.log.add("empty_file", "The file is empty; put one request on each line.")
        elif not self.requests:
            self.log.add(
                "only_blank_lines", "The file has only blank lines; put one request on each line."
            )
        if size > limits.max_upload_bytes:
            self.log.add(
                "too_many_bytes",
                f"The file has {size:,} bytes and at most {limits.max_upload_bytes:,} are "
                "accepted; split it into several.",
            )
        elif self._divider.has_giant:
            self.log.add(
                "too_many_bytes",
                f"One line alone has more bytes than the {limits.max_bytes:,} that "
                f"{limits.provider} takes a file; shorten its request.",
            )
        provider_batches, why = (
            self.provider_batches(size),
            limits.exceeded_limits(size, self.requests),
        )
        if provider_batches > MAX_PROVIDER_BATCHES:
            self.log.add(
                "too_many_provider_batches",
                f"The file would be sent in {provider_batches:,} parts, since {limits.provider} takes {why} "
                f"a file, and at most {MAX_PROVIDER_BATCHES:,} are made; split it into several.",
            )
        elif provider_batches > 1:
            self.log.add(
                "several_provider_batches",
                f"It is sent in {provider_batches:,} parts, since {limits.provider} takes {why} a file. "
                "They stay one batch here.",
            )

    def provider_batches(self, size: int) -> int:
        """In how many files the provider gets what is a file of ``size`` bytes here."""
        return 1 if self.limits.fits_one_batch(size, self.requests) else self._divider.parts

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


def _add(line_report: LineReport, facts: ModelFacts) -> None:
    facts.requests += 1
    facts.input_tokens += line_report.input_tokens
    facts.attachments += line_report.attachments
    facts.assumed_attachments += line_report.assumed
    facts.expected_output_tokens += line_report.expected
    if line_report.limit == NO_LIMIT:
        facts.unbounded_requests += 1
    else:
        facts.max_output_tokens += line_report.limit


def _repetition(number: int, first: int) -> request_rules.RequestFinding:
    """An earlier line has the same body, byte for byte."""
    message = (
        f"Line {number:,} asks word for word what line {first:,} asks, and is paid for again; "
        "drop it unless you want another answer."
    )
    return request_rules.RequestFinding("identical_body", message, first)


def _byte_order_mark(number: int) -> request_rules.RequestFinding:
    where = "The file" if number == 1 else f"Line {number:,}"
    return request_rules.RequestFinding(
        "byte_order_mark",
        f"{where} begins with a byte order mark, which the provider reads as broken JSON; "
        "save it as UTF-8 without BOM.",
    )


def _carriage_return(number: int) -> request_rules.RequestFinding:
    """JSON takes it for a space, and many editors for the end of a line."""
    return request_rules.RequestFinding(
        "carriage_return",
        f"Line {number:,} has a carriage return in its middle. That is allowed, but some editors "
        "begin a new line there, and count on from it.",
    )

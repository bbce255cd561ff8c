"""The state of one check: receives the line reports in order, and makes the report of the file."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter

from batchapp.domain.answer_lengths.expectation import OutputSums
from batchapp.domain.prompt_cache.prefix_tree import PrefixTree
from batchapp.domain.prompt_cache.prompt_facts import PromptFacts
from batchapp.domain.prompt_cache.prompt_summary import summarise_prompts
from batchapp.domain.request_files.broken_text import BrokenText
from batchapp.domain.request_files.duplicates import Duplicates
from batchapp.domain.request_files.findings import FindingLog, RequestFinding
from batchapp.domain.request_files.limits import MAX_PROVIDER_BATCHES, Limits
from batchapp.domain.request_files.line_report import CommonReport, LineReport
from batchapp.domain.request_files.report import ModelFacts, Report
from batchapp.domain.request_files.rules import request_shape
from batchapp.domain.request_files.rules.inputs import MAX_INPUTS_PER_BATCH
from batchapp.domain.request_files.splitting import ModelSplitter, Splitter

MAX_MODELS = 1_000  # per file; more than any provider offers, so the names belong elsewhere


class FileChecker:
    """Sums up the line reports; of single lines only ``Duplicates`` keeps anything."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.log = FindingLog()
        self.requests = 0
        self.lines = self.offset = 0  # of the lines so far, the offset in bytes
        self.models: dict[str, ModelFacts] = {}
        self.repeated: dict[str, ModelFacts] = {}
        self.urls: Counter[str] = Counter()
        self._inputs = 0
        self._outputs, self._repeated_outputs = OutputSums(), OutputSums()
        self._shapes = request_shape.ShapeCounts()
        self._splitter, self._by_model = Splitter(limits), ModelSplitter(limits)
        self._duplicates = Duplicates()
        self._broken_text = BrokenText()
        self._prompts = PrefixTree()

    def add_lines(self, line_reports: Iterable[LineReport]) -> None:
        """Add the next lines. Lines with the same common report are mostly added together.

        Gain: a request that is added with others takes 2 µs, by itself 4 µs.
        """
        for common, same in groupby(line_reports, key=attrgetter("common")):
            rows = list(same)
            if self._can_add_together(common, rows):
                lengths = [row.length for row in rows]
                self.requests += len(rows)
                self._splitter.add_all(self.offset, lengths)
                self._count(common, rows, self.offset)
                self.lines += len(rows)
                self.offset += sum(lengths) + len(lengths)
            else:
                for row in rows:
                    self.lines += row.lines
                    self._add_line(row, self.lines, self.offset)
                    self.offset += row.length + 1

    def _can_add_together(self, common: CommonReport, rows: Sequence[LineReport]) -> bool:
        """Return True for requests that have no findings, not even because of earlier lines.

        Only the common report of requests without errors names a model.
        """
        return (
            common.model in self.models
            and not common.findings
            and not common.has_byte_order_mark
            and not common.has_carriage_return
            and not self._broken_text.line_report
            and self._duplicates.are_new(rows, self.lines + 1)
        )

    def _add_line(self, line_report: LineReport, number: int, offset: int) -> None:
        common = line_report.common
        if common.has_byte_order_mark:
            self.log.add(_byte_order_mark(number), number, offset)
        if common.is_blank or (self._broken_text.line_report and self._goes_on(line_report)):
            return
        self.requests += 1
        self._splitter.add(offset, line_report.length)
        if common.is_request:
            duplicate = self._duplicates.find_custom_id(line_report.custom_id, number)
            if duplicate or common.has_error:
                self._log([*common.findings, *duplicate], line_report, number, offset)
                return
        if common.text_break == "opens":
            self._broken_text = BrokenText(line_report, number, offset)
            return
        self._log(common.findings, line_report, number, offset)
        if not common.is_request:
            return
        if common.has_carriage_return:
            self._log([_carriage_return(number)], line_report, number, offset)
        identical = self._duplicates.find_body(line_report.body_hash, number)
        if identical:
            self._log(identical, line_report, number, offset)
        if common.model in self.models or self._add_model(line_report, number):
            self._count(common, [line_report], offset, is_repeated=bool(identical))

    def report(
        self, size: int, finding: RequestFinding | None = None, *, is_gzip: bool = False
    ) -> Report:
        """Finish the check of a file of ``size`` bytes.

        ``finding`` is the reason why the file was not read to its end.
        """
        self._log_broken_text()
        for file_finding in (finding,) if finding else self._check_size(size):
            self.log.add(file_finding)
        self._check_mixture()
        prompts = summarise_prompts(self._prompts)
        self._check_marked_prompts(prompts)
        for model, facts in self.models.items():
            facts.shape = self._shapes.most_common(model, facts.requests)
            facts.provider_batches = self._by_model.span_counts[model]
        _set_outputs(self.models, self._outputs)
        _set_outputs(self.repeated, self._repeated_outputs)
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
            provider_batches=self._count_provider_batches(size),
            prompts=prompts,
        )

    def _goes_on(self, line_report: LineReport) -> bool:
        """Return True for a part of the broken text, whose finding is logged at another line."""
        if self._broken_text.has_part(line_report):
            return True
        self._log_broken_text()
        return False

    def _log_broken_text(self) -> None:
        """Log the finding of the last line that broke off within a text, if there is one."""
        broken = self._broken_text
        if broken.line_report:
            self._broken_text = BrokenText()
            self._log(broken.findings, broken.line_report, broken.number, broken.offset)

    def _log(
        self, findings: Iterable[RequestFinding], line_report: LineReport, number: int, offset: int
    ) -> None:
        for finding in findings:
            self.log.add(finding, number, offset, line_report.custom_id)

    def _add_model(self, line_report: LineReport, number: int) -> bool:
        """Begin the facts of the model of a request; return False if there are too many."""
        if len(self.models) < MAX_MODELS:
            self.models[line_report.common.model] = ModelFacts(embeddings=True, exact=True)
            return True
        message = (
            f"The file names more than {MAX_MODELS:,} models; body.model must be one that the "
            "connection offers."
        )
        finding = RequestFinding("too_many_models", message)
        self.log.add(finding, number, custom_id=line_report.custom_id)
        return False

    def _count(
        self,
        common: CommonReport,
        rows: Sequence[LineReport],
        offset: int,
        *,
        is_repeated: bool = False,
    ) -> None:
        """Add requests without errors that follow one another to the facts of their model."""
        model, requests = common.model, len(rows)
        facts = self.models[model]
        self._by_model.add_all(model, offset, [row.length for row in rows])
        self.urls[common.url] += requests
        self._inputs += common.inputs * requests
        for shape, number in Counter([row.shape for row in rows if row.shape]).items():
            self._shapes.add(model, shape, number)
        for position, row in enumerate(rows, facts.requests):
            if row.prompt_start:
                self._prompts.add(row.prompt_start, row.own_text, position, row.input_tokens)
        tokens = sum([row.input_tokens for row in rows])
        self._outputs.add(model, common.expectation, tokens, requests)
        _add(common, requests, tokens, facts)
        facts.exact = facts.exact and common.is_exact
        facts.embeddings = facts.embeddings and common.url == "/v1/embeddings"
        if is_repeated:
            repeated = self.repeated.setdefault(model, ModelFacts())
            repeated.embeddings, repeated.exact = facts.embeddings, facts.exact
            self._repeated_outputs.add(model, common.expectation, tokens, requests)
            _add(common, requests, tokens, repeated)

    def _check_size(self, size: int) -> Iterator[RequestFinding]:
        limits = self.limits
        if not size:
            message = "The file is empty; put one request on each line."
            yield RequestFinding("empty_file", message)
        elif not self.requests:
            message = "The file has only blank lines; put one request on each line."
            yield RequestFinding("only_blank_lines", message)
        if size > limits.max_upload_bytes:
            yield RequestFinding(
                "too_many_bytes",
                f"The file has {size:,} bytes and at most {limits.max_upload_bytes:,} are "
                "accepted; split it into several.",
            )
        elif self._splitter.has_oversized_line:
            yield RequestFinding(
                "too_many_bytes",
                f"One line alone has more bytes than the {limits.max_bytes:,} that "
                f"{limits.provider} takes a file; shorten its request.",
            )
        provider_batches = self._count_provider_batches(size)
        exceeded = limits.exceeded_limits(size, self.requests)
        reason = f"since {limits.provider} takes {exceeded} a file"
        if provider_batches > MAX_PROVIDER_BATCHES:
            yield RequestFinding(
                "too_many_provider_batches",
                f"The file would be sent as {provider_batches:,} provider batches, {reason}, and "
                f"at most {MAX_PROVIDER_BATCHES:,} are created; split it into several.",
            )
        elif provider_batches > 1:
            message = f"It is sent as {provider_batches:,} provider batches, {reason}."
            yield RequestFinding(
                "several_provider_batches", f"{message} They stay one batch here."
            )

    def _count_provider_batches(self, size: int) -> int:
        fits = self.limits.fits_one_batch(size, self.requests)
        return 1 if fits or not self.requests else self._splitter.span_count

    def _check_mixture(self) -> None:
        if self._inputs > MAX_INPUTS_PER_BATCH:
            message = (
                f"The requests embed {self._inputs:,} texts, and OpenAI takes "
                f"{MAX_INPUTS_PER_BATCH:,} in one batch; split the file for such a provider."
            )
            self.log.add(RequestFinding("many_inputs_in_all", message))
        unbounded = sum(facts.unbounded_requests for facts in self.models.values())
        if unbounded:
            requests = "1 request sets" if unbounded == 1 else f"{unbounded:,} requests set"
            message = (
                f"{requests} no limit on the answer's length, so there is no highest price; add "
                "max_tokens to have one."
            )
            self.log.add(RequestFinding("no_max_tokens", message), count=unbounded)
        if len(self.models) > 1:
            message = (
                f"The requests go to {len(self.models):,} models; each is priced on its own. "
                "Split the file if that is not meant."
            )
            self.log.add(RequestFinding("mixed_models", message))
        if len(self.urls) > 1:
            message = (
                f"The requests go to {len(self.urls):,} urls ({', '.join(sorted(self.urls))}); "
                "Doubleword takes them together, other providers want a file for each."
            )
            self.log.add(RequestFinding("mixed_urls", message))

    def _check_marked_prompts(self, prompts: Mapping[str, PromptFacts]) -> None:
        by_least = Counter[int]()
        for model, facts in prompts.items():
            least = self.limits.least_cached(model)
            by_least[least] += facts.short_marked(least)
        for least, short in sorted((+by_least).items()):
            requests = "1 request marks" if short == 1 else f"{short:,} requests mark"
            message = (
                f"{requests} a prompt of less than {least:,} tokens with cache_control, and that "
                "is too short to be cached; leave the marker out."
            )
            self.log.add(RequestFinding("short_cached_prompt", message), count=short)


def _add(common: CommonReport, requests: int, input_tokens: int, facts: ModelFacts) -> None:
    facts.requests += requests
    facts.input_tokens += input_tokens
    facts.attachments += common.attachments * requests
    facts.assumed_attachments += common.assumed_attachments * requests
    if common.max_output_tokens is None:
        facts.unbounded_requests += requests
    else:
        facts.max_output_tokens += common.max_output_tokens * requests


def _set_outputs(models: dict[str, ModelFacts], sums: OutputSums) -> None:
    for model, output in sums.by_model().items():
        facts = models[model]
        facts.expected_low_tokens, facts.expected_high_tokens = output.low, output.high
        facts.expected_output_tokens = output.expected
        facts.output_basis, facts.says_length = output.basis, output.is_said


def _byte_order_mark(number: int) -> RequestFinding:
    subject = "The file" if number == 1 else f"Line {number:,}"
    return RequestFinding(
        "byte_order_mark",
        f"{subject} begins with a byte order mark, which the provider reads as broken JSON; "
        "save it as UTF-8 without BOM.",
    )


def _carriage_return(number: int) -> RequestFinding:
    # JSON reads a carriage return as a space, many editors read it as the end of a line.
    return RequestFinding(
        "carriage_return",
        f"Line {number:,} has a carriage return in its middle. That is allowed, but some editors "
        "begin a new line there, and count on from it.",
    )

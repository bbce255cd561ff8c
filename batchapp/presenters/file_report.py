"""The findings of a check and the cost of a file, arranged for pages."""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

import msgspec

from batchapp.domain.corrections.correction_rules import (
    CORRECTION_RULES,
    CorrectionKind,
    corrections_for,
)
from batchapp.domain.money.calibration import History
from batchapp.domain.money.estimate import Estimate, ModelEstimate, estimate
from batchapp.domain.money.unit_prices import total
from batchapp.domain.request_files.check_file import Finding, Report, Severity
from batchapp.domain.request_files.findings import PORTAL_ONLY_CODES
from batchapp.models import REALTIME, Connection, Project, Upload, User
from batchapp.presenters.batches.batch_cost import minimum_cost
from batchapp.presenters.sentences import named
from batchapp.services.files import upload_intake
from batchapp.services.orders import price_quotes
from batchapp.templatetags.words import SMALLEST_IN_COLUMN, count, usd, usd_in_column, usd_range

ACRONYMS = re.compile(r"\b(ascii|json|csv|http|url|id|post)\b", re.IGNORECASE)

PLACES_SHOWN = 8  # of each finding code, with the beginning of the line
NAMED_MODELS = 3  # that share a basis of their estimate
RANGES_SHOWN = 12  # of the numbers of further lines
SEVERITY_ORDER = [Severity.ERROR, Severity.WARNING, Severity.INFO]
SEVERITY_TONES = {Severity.ERROR: "bad", Severity.WARNING: "warn", Severity.INFO: "quiet"}
SEVERITY_ICONS = {Severity.ERROR: "cross", Severity.WARNING: "alert", Severity.INFO: "info"}


@dataclass(frozen=True, slots=True)
class Place:
    """A line with a finding; ``texts`` has the beginnings of the lines to look at, with numbers.

    ``remark`` is "" if the message of the group says the same.
    """

    finding: Finding
    remark: str
    texts: list[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class OfferedCorrection:
    """``every_model`` means that the correction replaces names that requests give already."""

    name: str
    title: str
    every_model: bool = False

    @property
    def query(self) -> str:
        return f"?corrections={self.name}{'&every_model=on' if self.every_model else ''}"


@dataclass(frozen=True, slots=True)
class FindingGroup:
    """All findings of one code: ``total`` of them, of which ``findings`` are the first.

    ``texts`` maps line numbers to the beginnings of the lines that were read. ``offered`` are the
    corrections that are possible for the file.
    """

    code: str
    severity: Severity
    total: int
    findings: list[Finding]
    texts: dict[int, str] = field(default_factory=dict)
    offered: Collection[CorrectionKind] = frozenset(CorrectionKind)

    @property
    def title(self) -> str:
        return title_of(self.code)

    @property
    def is_portal_only(self) -> bool:
        """The provider would accept the line; only the portal insists on its rule."""
        return self.code in PORTAL_ONLY_CODES

    @property
    def corrections(self) -> list[OfferedCorrection]:
        return [
            OfferedCorrection(kind.value, CORRECTION_RULES[kind].title)
            for kind in corrections_for(self.code)
            if kind in self.offered
        ]

    @property
    def tone(self) -> str:
        return SEVERITY_TONES[self.severity]

    @property
    def icon(self) -> str:
        return SEVERITY_ICONS[self.severity]

    @property
    def line_findings(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.line]

    @property
    def message(self) -> str:
        return self.findings[0].message

    @property
    def extent(self) -> str:
        """Say which line has the finding, or how many lines or requests have it."""
        if not self.line_findings:
            return count(self.total, "request") if self.total > 1 else "whole file"
        lines = {finding.line for finding in self.line_findings}
        if self.is_of_one_line:
            return f"line {self.line_findings[0].line:,}"
        if self.total == len(self.line_findings):
            return count(len(lines), "line")
        # A code that occurs twice in one of the first lines may do so in the others.
        return count(self.total, "line" if len(lines) == len(self.line_findings) else "place")

    @property
    def is_of_one_line(self) -> bool:
        return self.total == 1 and bool(self.line_findings) and not self.findings[0].other_line

    @property
    def places(self) -> list[Place]:
        """The first places with the finding, each once."""
        return [self._place(finding) for finding in self.line_findings[:PLACES_SHOWN]]

    def _place(self, finding: Finding) -> Place:
        is_said = finding.other_line or finding.message == self.message
        numbers = [line for line in (finding.line, finding.other_line) if line in self.texts]
        texts = [(line, self.texts[line]) for line in numbers if self.texts[line]]
        return Place(finding, "" if is_said else finding.message, texts)

    @property
    def further(self) -> str:
        """Say where the finding is beside ``places``; "" if nowhere."""
        rest = self.line_findings[PLACES_SHOWN:]
        hidden = self.total - PLACES_SHOWN if self.line_findings else 0
        if hidden <= 0:
            return ""
        ranges = _ranges(sorted({finding.line for finding in rest}))
        numbers = ", ".join(ranges[:RANGES_SHOWN])
        is_all = hidden == len(rest) and len(ranges) <= RANGES_SHOWN
        return f"And {hidden:,} more: {numbers}{'' if is_all else ' …'}"


@dataclass(frozen=True, slots=True)
class Offer:
    """The cost of a file in one completion window, and the saving against realtime.

    ``is_exact`` means that the input tokens are counted as the provider will count them.
    """

    window: str
    estimate: Estimate
    saving: str
    is_exact: bool = False

    @property
    def is_realtime(self) -> bool:
        return self.window == REALTIME

    @property
    def expected(self) -> str:
        return _expected(self.estimate, is_exact=self.is_exact)

    @property
    def figure(self) -> str:
        """The expected cost without the models that it leaves out, which ``unpriced`` counts."""
        return self.expected.partition(" + ")[0]

    @property
    def short(self) -> str:
        """The expected cost in a few characters; ``expected`` has all digits of a small one."""
        cost = self.estimate.expected_usd
        if cost is None or self.unpriced or not 0 < cost < SMALLEST_IN_COLUMN:
            return self.expected
        return usd_in_column(cost)

    @property
    def unpriced(self) -> str:
        """The models without a price that ``figure`` leaves out; "" if there are none."""
        return self.expected.partition(" + ")[2]

    @property
    def ceiling(self) -> str:
        """The most that the batch can cost, if anything bounds it."""
        if self.estimate.ceiling_usd is None:
            return "not known" if self.estimate.unpriced else "no limit"
        return f"{'' if self.is_exact else '~'}{self._ends[1]}"

    @property
    def low(self) -> str:
        """The least that the batch may cost: its input, and the shortest answers to expect."""
        if self.estimate.low_usd is None or self.estimate.unpriced:
            return "not known"
        has_guess = any(line.output_low for line in self.estimate.models)
        return f"{'' if self.is_exact and not has_guess else '~'}{self._ends[0]}"

    @property
    def _ends(self) -> tuple[str, str]:
        low, high = self.estimate.low_usd, self.estimate.ceiling_usd
        return (usd(low), usd(high)) if low is None or high is None else usd_range(low, high)

    @property
    def likely(self) -> str:
        """The cost that nine of ten batches stay below; "" if a ceiling is known instead."""
        if self.estimate.ceiling_usd is not None or self.estimate.high_usd is None:
            return ""
        return f"~{usd(self.estimate.high_usd)}"

    @property
    def is_by_past_runs(self) -> bool:
        """Return True if the expected output of every model comes from past batches."""
        return all(line.has_history for line in self.estimate.models)

    @property
    def bounds(self) -> str:
        """Say between which costs the batch stays, as far as anything bounds it."""
        if self.estimate.low_usd is None or self.estimate.unpriced:
            return ""
        if self.likely:
            if self.is_by_past_runs:
                return f"from {self.low}, by past runs {self.likely} at most"
            return f"{self.low} to {self.likely}, hardly more"
        if self.estimate.ceiling_usd is None:
            return f"from {self.low}, without a limit"
        return "" if self.low == self.ceiling else f"{self.low} to {self.ceiling}"

    @property
    def unbounded_requests(self) -> int:
        """The number of requests without ``max_tokens``: nothing bounds their cost."""
        return sum(line.unbounded_requests for line in self.estimate.models)

    @property
    def basis(self) -> str:
        """Say what the expected output comes from, with the models if it differs between them."""
        models: defaultdict[str, list[str]] = defaultdict(list)
        for line in self.estimate.models:
            models[line.basis].append(line.model)
        if len(models) == 1:
            return next(iter(models))
        said = (f"{named(names, NAMED_MODELS)} {basis}" for basis, names in models.items())
        return "; ".join(said)

    @property
    def since(self) -> datetime | None:
        """The start of the newest price that the estimate uses."""
        prices = [line.price for line in self.estimate.models]
        return max((price.since for price in prices if price and price.since), default=None)


@dataclass(frozen=True, slots=True)
class Repetition:
    """The cost of the requests that repeat an earlier request word for word.

    ``has_cached_prompts`` if markers change that cost. Without the repeats, others would write the
    prompts that some of them write, so that they save no more than they cost.
    """

    requests: int
    cost: str
    window: str
    is_priced: bool = True
    has_cached_prompts: bool = False

    @property
    def saving(self) -> str:
        """Say how much less the file would cost without the repeats; "" if this is not known."""
        if not self.is_priced:
            return ""
        return f"at most {self.cost}" if self.has_cached_prompts else self.cost


def title_of(code: str) -> str:
    return ACRONYMS.sub(lambda match: match[0].upper(), code.replace("_", " ").capitalize())


def finding_groups(report: Report, *more: FindingGroup) -> list[FindingGroup]:
    """Sort errors first, and in each severity the most frequent code first.

    ``more`` are groups from elsewhere that are sorted in.
    """
    by_code: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in report.findings:
        by_code[finding.code].append(finding)
    groups = [
        FindingGroup(
            code, findings[0].severity, report.finding_totals.get(code, len(findings)), findings
        )
        for code, findings in by_code.items()
    ]
    groups += more
    return sorted(groups, key=lambda group: (SEVERITY_ORDER.index(group.severity), -group.total))


def with_excerpts(
    groups: list[FindingGroup], upload: Upload, offered: Collection[CorrectionKind]
) -> list[FindingGroup]:
    """Add the ``offered`` corrections and the texts of the first lines, read once, to each group.

    A line with a secret in it is never shown.
    """
    secret = {row.line for group in groups if group.code == "secret" for row in group.findings}
    findings = [finding for group in groups for finding in group.line_findings[:PLACES_SHOWN]]
    lines = {line for row in findings for line in (row.line, row.other_line)} - secret - {0}
    offsets = {row.line: row.offset for row in findings if row.offset and row.line in lines}
    texts = upload_intake.read_excerpts(upload, lines, offsets) if lines else {}
    return [replace(group, texts=texts, offered=offered) for group in groups]


def quotes_for(
    report: Report,
    connection: Connection,
    at: datetime,
    *,
    project: Project | None = None,
    user: User | None = None,
) -> dict[str, Estimate]:
    """Estimate the cost in each completion window of ``connection``, and in realtime.

    With a project and a user, batches that ended before ``at`` tell the expected output.
    """
    histories = price_quotes.histories_for(report, project, user, at) if project and user else None
    return quotes_from_histories(report, connection, at, histories, project)


def quotes_from_histories(
    report: Report,
    connection: Connection,
    at: datetime,
    histories: Mapping[str, History] | None,
    project: Project | None = None,
) -> dict[str, Estimate]:
    windows = [*connection.windows, REALTIME]
    return price_quotes.quote(report, connection, windows, at, histories, project=project)


def offers(quotes: dict[str, Estimate], *, is_exact: bool = False) -> list[Offer]:
    """Return one offer for each completion window, and one for realtime to compare with."""
    realtime = quotes[REALTIME]
    return [
        Offer(window, quote, _saving(quote, realtime), is_exact or quote.is_exact)
        for window, quote in quotes.items()
    ]


def cheapest_window(offers: list[Offer]) -> str:
    """Return the window that is expected to cost the least; "" if none costs less than another."""
    costs = {
        offer.window: offer.estimate.expected_usd
        for offer in offers
        if not offer.is_realtime and not offer.unpriced
    }
    known = {window: cost for window, cost in costs.items() if cost is not None}
    least = [window for window, cost in known.items() if cost == min(known.values())]
    return least[0] if len(least) == 1 < len(known) else ""


def is_exact(report: Report) -> bool:
    """Return True if all input tokens are counted as the provider will count them."""
    return all(facts.exact for facts in report.models.values())


def assumed_attachments(report: Report) -> int:
    """Count the images and other attachments whose size is unknown."""
    return sum(facts.assumed_attachments for facts in report.models.values())


def repetition(
    report: Report, quotes: dict[str, Estimate], histories: Mapping[str, History]
) -> Repetition | None:
    """Price the repeated requests in the first window of ``quotes``; None if there are none.

    ``quotes`` must have been made with the same ``histories``.
    """
    requests = sum(facts.requests for facts in report.repeated.values())
    window, quote = next(iter(quotes.items()))
    if not requests:
        return None
    lines = {line.model: line for line in quote.models}
    prices = {name: line.price for name, line in lines.items() if line.price}
    repeated = estimate(report.repeated, prices, window, histories)
    cached = [row for row in repeated.models if lines[row.model].has_cached_prompts]
    if cached:
        amounts = [_as_marked(row, lines[row.model]) for row in repeated.models]
        repeated = msgspec.structs.replace(repeated, expected_usd=total(amounts))
    return Repetition(
        requests,
        _expected(repeated),
        window,
        is_priced=bool(prices),
        has_cached_prompts=bool(cached),
    )


def _as_marked(repeated: ModelEstimate, whole: ModelEstimate) -> Decimal | None:
    """Return the cost of repeated requests, changed by markers as that of the ``whole`` model."""
    amount, plain, marked = repeated.expected_usd, whole.unmarked_usd, whole.expected_usd
    if amount is None or marked is None or not plain:
        return amount
    return amount * marked / plain


def _ranges(lines: list[int]) -> list[str]:
    """Return ascending numbers as words, such as "7", and "9-12" for numbers in a row."""
    ranges: list[list[int]] = []
    for line in lines:
        if ranges and line == ranges[-1][1] + 1:
            ranges[-1][1] = line
        else:
            ranges.append([line, line])
    return [f"{a:,}" if a == b else f"{a:,}\u2013{b:,}" for a, b in ranges]


def _expected(estimate: Estimate, *, is_exact: bool = False) -> str:
    if estimate.expected_usd is None:
        return "no price"
    if estimate.unpriced:
        return minimum_cost(estimate.expected_usd, len(estimate.unpriced))
    is_certain = is_exact and not any(line.output_expected for line in estimate.models)
    return f"{'' if is_certain else '~'}{usd(estimate.expected_usd)}"


def _saving(quote: Estimate, realtime: Estimate) -> str:
    """Return the saving in per cent; "" unless both costs are known in full."""
    cost, full = quote.expected_usd, realtime.expected_usd
    if quote is realtime or quote.unpriced or realtime.unpriced or not full or cost is None:
        return ""
    percent = int(100 * (1 - cost / full) if cost < full else Decimal(0))
    return f"{percent} % less than realtime" if percent else ""

"""The findings of a check and the cost of a file, arranged for pages."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from batchapp.domain.corrections.corrector import CORRECTION_RULES, corrections_for
from batchapp.domain.money.calibration import History
from batchapp.domain.money.estimate import Estimate, estimate
from batchapp.domain.request_files.check_file import Finding, Report, Severity
from batchapp.domain.request_files.findings import PORTAL_ONLY_CODES
from batchapp.models import REALTIME, Connection, Project, Upload, User
from batchapp.presenters.batches.batch_cost import minimum_cost
from batchapp.services.files import upload_intake
from batchapp.services.orders import price_quotes
from batchapp.templatetags.words import usd

ACRONYMS = re.compile(r"\b(json|csv|url|id|post)\b", re.IGNORECASE)

EXCERPTS_SHOWN = 20  # lines of each finding code whose text is shown
SEVERITY_ORDER = [Severity.ERROR, Severity.WARNING, Severity.INFO]
SEVERITY_TONES = {Severity.ERROR: "bad", Severity.WARNING: "warn", Severity.INFO: "quiet"}
SEVERITY_ICONS = {Severity.ERROR: "cross", Severity.WARNING: "alert", Severity.INFO: "info"}


@dataclass(frozen=True, slots=True)
class FindingLine:
    """A line of the file with the beginning of its ``text``; "" if that was not read.

    ``finding`` is None if the only fact is that later lines repeat this line. ``related`` are the
    numbers of these lines, or of the repeated line.
    """

    line: int
    finding: Finding | None
    text: str
    related: list[int]


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

    ``texts`` maps line numbers to the beginnings of the lines that were read.
    """

    code: str
    severity: Severity
    total: int
    findings: list[Finding]
    texts: dict[int, str] = field(default_factory=dict)

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
    def lines(self) -> list[FindingLine]:
        """The lines with findings and the lines that they repeat, in the order of the file."""
        repeats: defaultdict[int, list[int]] = defaultdict(list)
        for finding in self.line_findings:
            if finding.other_line:
                repeats[finding.other_line].append(finding.line)
        by_line: defaultdict[int, list[Finding | None]] = defaultdict(list)
        for finding in self.line_findings:
            by_line[finding.line].append(finding)
        return [
            FindingLine(
                line, finding, self.texts.get(line, ""), _related(finding, repeats.get(line, []))
            )
            for line in sorted(by_line.keys() | repeats.keys())
            for finding in by_line.get(line, [None])
        ]

    @property
    def hidden_count(self) -> int:
        return self.total - len(self.findings) if self.line_findings else 0


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
    def ceiling(self) -> str:
        """The most that the batch can cost, if anything bounds it."""
        if self.estimate.ceiling_usd is None:
            return "not known" if self.estimate.unpriced else "no limit"
        return f"{'' if self.is_exact else '~'}{usd(self.estimate.ceiling_usd)}"

    @property
    def low(self) -> str:
        """The least that the batch may cost: by past batches, else the cost of its input."""
        if self.estimate.low_usd is None or self.estimate.unpriced:
            return "not known"
        has_history = any(line.has_history for line in self.estimate.models)
        return f"{'' if self.is_exact and not has_history else '~'}{usd(self.estimate.low_usd)}"

    @property
    def likely(self) -> str:
        """The cost that nine of ten past batches stayed below; "" if a ceiling is known."""
        if self.estimate.ceiling_usd is not None or self.estimate.high_usd is None:
            return ""
        return f"~{usd(self.estimate.high_usd)}"

    @property
    def unbounded_requests(self) -> int:
        """The number of requests without ``max_tokens``: nothing bounds their cost."""
        return sum(line.unbounded_requests for line in self.estimate.models)

    @property
    def bases(self) -> list[tuple[str, str]]:
        """Each model with the basis of its expected output."""
        return [(line.model, line.basis) for line in self.estimate.models]

    @property
    def since(self) -> datetime | None:
        """The start of the newest price that the estimate uses."""
        prices = [line.price for line in self.estimate.models]
        return max((price.since for price in prices if price and price.since), default=None)


@dataclass(frozen=True, slots=True)
class Repetition:
    """The cost of the requests that repeat an earlier request word for word."""

    requests: int
    cost: str
    window: str


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


def with_excerpts(groups: list[FindingGroup], upload: Upload) -> list[FindingGroup]:
    """Add the texts of the first lines of each group, with one reading of the file.

    A line with a secret in it is never shown.
    """
    secret = {row.line for group in groups if group.code == "secret" for row in group.findings}
    findings = [finding for group in groups for finding in group.line_findings[:EXCERPTS_SHOWN]]
    lines = {line for row in findings for line in (row.line, row.other_line)} - secret - {0}
    texts = upload_intake.read_excerpts(upload, lines) if lines else {}
    return [replace(group, texts=texts) for group in groups]


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
    return quotes_from_histories(report, connection, at, histories)


def quotes_from_histories(
    report: Report,
    connection: Connection,
    at: datetime,
    histories: Mapping[str, History] | None,
) -> dict[str, Estimate]:
    return price_quotes.quote(report, connection, [*connection.windows, REALTIME], at, histories)


def offers(quotes: dict[str, Estimate], *, is_exact: bool = False) -> list[Offer]:
    """Return one offer for each completion window, and one for realtime to compare with."""
    realtime = quotes[REALTIME]
    return [
        Offer(window, quote, _saving(quote, realtime), is_exact or quote.is_exact)
        for window, quote in quotes.items()
    ]


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
    prices = {line.model: line.price for line in quote.models if line.price}
    repeated = estimate(report.repeated, prices, window, histories)
    return Repetition(requests, _expected(repeated), window)


def _related(finding: Finding | None, repeats: list[int]) -> list[int]:
    return ([finding.other_line] if finding and finding.other_line else []) + repeats


def _expected(estimate: Estimate, *, is_exact: bool = False) -> str:
    if estimate.expected_usd is None:
        return "no price"
    if estimate.unpriced:
        return minimum_cost(estimate.expected_usd, len(estimate.unpriced))
    is_certain = is_exact and estimate.low_usd == estimate.ceiling_usd  # no output at all
    return f"{'' if is_certain else '~'}{usd(estimate.expected_usd)}"


def _saving(quote: Estimate, realtime: Estimate) -> str:
    """Return the saving in per cent; "" unless both costs are known in full."""
    cost, full = quote.expected_usd, realtime.expected_usd
    if quote is realtime or quote.unpriced or realtime.unpriced or not full or cost is None:
        return ""
    percent = int(100 * (1 - cost / full) if cost < full else Decimal(0))
    return f"{percent} % less than realtime" if percent else ""

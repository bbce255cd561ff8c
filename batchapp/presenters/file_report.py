"""What a check found and what a file would cost, arranged for pages."""

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
from batchapp.presenters.batch_summary import at_least
from batchapp.services.files import upload_intake
from batchapp.services.orders import price_quotes
from batchapp.templatetags.words import usd

ACRONYMS = re.compile(r"\b(json|csv|url|id|post)\b", re.IGNORECASE)

EXCERPTS_SHOWN = 20
"""Lines of each kind of fault whose text is shown."""

ORDER = [Severity.ERROR, Severity.WARNING, Severity.INFO]


@dataclass(frozen=True, slots=True)
class Place:
    """One line that a finding is about, with its beginning, "" if that was not read.

    ``fault`` is None where nothing is wrong but that a later line repeats it; ``others`` are the
    lines that belong to it, each with a place of its own.
    """

    line: int
    finding: Finding | None
    text: str
    others: list[int]


@dataclass(frozen=True, slots=True)
class OfferedCorrection:
    """A repair that a finding can be put right with."""

    name: str
    title: str
    every_model: bool = False
    """Whether it is of use only where the requests name a model already."""


@dataclass(frozen=True, slots=True)
class FindingGroup:
    """All faults of one code: ``total`` of them, of which ``faults`` are the first.

    ``texts`` has the beginnings of lines, by number, as far as somebody read them.
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
        """Whether the provider would take it: the portal alone insists."""
        return self.code in PORTAL_ONLY_CODES

    @property
    def corrections(self) -> list[OfferedCorrection]:
        return [
            OfferedCorrection(each.value, CORRECTION_RULES[each].title)
            for each in corrections_for(self.code)
        ]

    @property
    def places(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.line]

    @property
    def lines(self) -> list[Place]:
        """Each place, and before it the line that it repeats, in the order of the file."""
        repeats: defaultdict[int, list[int]] = defaultdict(list)
        for finding in self.places:
            if finding.other_line:
                repeats[finding.other_line].append(finding.line)
        own: defaultdict[int, list[Finding | None]] = defaultdict(list)
        for finding in self.places:
            own[finding.line].append(finding)
        return [
            Place(line, finding, self.texts.get(line, ""), _others(finding, repeats.get(line, [])))
            for line in sorted(own.keys() | repeats.keys())
            for finding in own.get(line, [None])
        ]

    @property
    def unseen(self) -> int:
        return self.total - len(self.findings) if self.places else 0


@dataclass(frozen=True, slots=True)
class Offer:
    """What a file would cost in one completion window, and what that saves against realtime."""

    window: str
    estimate: Estimate
    saving: str
    is_exact: bool = False
    """Whether the input's tokens are what the provider will count."""

    @property
    def is_realtime(self) -> bool:
        return self.window == REALTIME

    @property
    def expected(self) -> str:
        return _expected(self.estimate, is_exact=self.is_exact)

    @property
    def ceiling(self) -> str:
        """The most it can cost, if anything bounds it."""
        if self.estimate.ceiling_usd is None:
            return "not known" if self.estimate.unpriced else "no limit"
        return f"{'' if self.is_exact else '~'}{usd(self.estimate.ceiling_usd)}"

    @property
    def low(self) -> str:
        """The least it may cost: by past runs, or else what the input alone does."""
        if self.estimate.low_usd is None or self.estimate.unpriced:
            return "not known"
        is_learnt = any(line.has_history for line in self.estimate.models)
        return f"{'' if self.is_exact and not is_learnt else '~'}{usd(self.estimate.low_usd)}"

    @property
    def likely(self) -> str:
        """Where nothing bounds the cost, what nine of ten past runs stayed below; or ""."""
        if self.estimate.ceiling_usd is not None or self.estimate.high_usd is None:
            return ""
        return f"~{usd(self.estimate.high_usd)}"

    @property
    def unlimited(self) -> int:
        """Requests that set no ``max_tokens``: nothing bounds their cost."""
        return sum(line.unbounded_requests for line in self.estimate.models)

    @property
    def bases(self) -> list[tuple[str, str]]:
        """What the output was judged by, for each model."""
        return [(line.model, line.basis) for line in self.estimate.models]

    @property
    def since(self) -> datetime | None:
        """When the newest of the prices that are used came into force."""
        prices = [line.price for line in self.estimate.models]
        return max((price.since for price in prices if price and price.since), default=None)


@dataclass(frozen=True, slots=True)
class Repetition:
    """What the requests cost that ask word for word what an earlier one asks."""

    requests: int
    cost: str
    window: str


def title_of(code: str) -> str:
    """A finding's name in words."""
    return ACRONYMS.sub(lambda found: found[0].upper(), code.replace("_", " ").capitalize())


def finding_groups(report: Report, *others: FindingGroup) -> list[FindingGroup]:
    """Errors first, and in each severity what happens most; with ``others`` among them."""
    by_code: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in report.findings:
        by_code[finding.code].append(finding)
    groups = [
        FindingGroup(
            code, findings[0].severity, report.finding_totals.get(code, len(findings)), findings
        )
        for code, findings in by_code.items()
    ]
    groups += others
    return sorted(groups, key=lambda group: (ORDER.index(group.severity), -group.total))


def with_excerpts(groups: list[FindingGroup], found: Upload) -> list[FindingGroup]:
    """The groups with the texts of their first lines, all of which one reading finds.

    A line with a secret in it is not repeated on a page.
    """
    secret = {
        finding.line for group in groups if group.code == "secret" for finding in group.findings
    }
    findings = [finding for group in groups for finding in group.places[:EXCERPTS_SHOWN]]
    shown = (
        {line for finding in findings for line in (finding.line, finding.other_line)}
        - secret
        - {0}
    )
    texts = upload_intake.excerpts(found, shown) if shown else {}
    return [replace(group, texts=texts) for group in groups]


def quotes_for(
    report: Report,
    connection: Connection,
    at: datetime,
    *,
    project: Project | None = None,
    user: User | None = None,
) -> dict[str, Estimate]:
    """What the file would cost in each completion window of ``connection``, and at once.

    With a project and a user, the answers' length is judged by batches that ended before ``at``.
    """
    histories = price_quotes.histories_for(report, project, user, at) if project and user else None
    return quotes_by(report, connection, at, histories)


def quotes_by(
    report: Report,
    connection: Connection,
    at: datetime,
    histories: Mapping[str, History] | None,
) -> dict[str, Estimate]:
    """As ``quotes_for``, by ``histories`` that are known already."""
    return price_quotes.quote(report, connection, [*connection.windows, REALTIME], at, histories)


def offers(quotes: dict[str, Estimate], *, is_exact: bool = False) -> list[Offer]:
    """One for each completion window, and the realtime price to compare."""
    realtime = quotes[REALTIME]
    return [
        Offer(window, quote, _saving(quote, realtime), is_exact or quote.is_exact)
        for window, quote in quotes.items()
    ]


def is_exact(report: Report) -> bool:
    """Whether the input of every request was counted as the provider will count it."""
    return all(facts.exact for facts in report.models.values())


def assumed_attachments(report: Report) -> int:
    """Images and the like whose size could not be seen."""
    return sum(facts.assumed_attachments for facts in report.models.values())


def repetition(
    report: Report, quotes: dict[str, Estimate], histories: Mapping[str, History]
) -> Repetition | None:
    """The cost of repeated requests in the first of the ``quotes``; None if none repeats.

    ``histories`` are those that the quotes were made by.
    """
    requests = sum(facts.requests for facts in report.repeated.values())
    window, quote = next(iter(quotes.items()))
    if not requests:
        return None
    prices = {line.model: line.price for line in quote.models if line.price}
    repeated = estimate(report.repeated, prices, window, histories)
    return Repetition(requests, _expected(repeated), window)


def _others(finding: Finding | None, repeats: list[int]) -> list[int]:
    return ([finding.other_line] if finding and finding.other_line else []) + repeats


def _expected(estimate: Estimate, *, is_exact: bool = False) -> str:
    if estimate.expected_usd is None:
        return "no price"
    if estimate.unpriced:
        return at_least(estimate.expected_usd, len(estimate.unpriced))
    is_certain = is_exact and estimate.low_usd == estimate.ceiling_usd  # nothing is written
    return f"{'' if is_certain else '~'}{usd(estimate.expected_usd)}"


def _saving(quote: Estimate, realtime: Estimate) -> str:
    """Per cent less than realtime, where both are known in full."""
    ours, theirs = quote.expected_usd, realtime.expected_usd
    if quote is realtime or quote.unpriced or realtime.unpriced or not theirs or ours is None:
        return ""
    percent = int(100 * (1 - ours / theirs) if ours < theirs else Decimal(0))
    return f"{percent} % less than realtime" if percent else ""

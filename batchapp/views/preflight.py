"""What a check found and what a file would cost, arranged for pages."""

import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from batchapp.domain.estimate import Estimate
from batchapp.domain.jsonl import Fault, Report, Severity
from batchapp.models import REALTIME, Connection, Upload
from batchapp.services import intake, ordering
from batchapp.templatetags.words import usd
from batchapp.views.summary import at_least

ACRONYMS = re.compile(r"\b(json|csv|url|id|post)\b", re.IGNORECASE)

EXCERPTS_SHOWN = 20
"""Lines of each kind of fault whose text is shown."""

ORDER = [Severity.ERROR, Severity.WARNING, Severity.INFO]


@dataclass(frozen=True, slots=True)
class FaultGroup:
    """All faults of one code: ``total`` of them, of which ``faults`` are the first.

    ``texts`` has the beginnings of lines, by number, as far as somebody read them.
    """

    code: str
    severity: Severity
    total: int
    faults: list[Fault]
    texts: dict[int, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        words = self.code.replace("_", " ").capitalize()
        return ACRONYMS.sub(lambda found: found[0].upper(), words)

    @property
    def places(self) -> list[Fault]:
        return [fault for fault in self.faults if fault.line]

    @property
    def lines(self) -> list[tuple[Fault, str]]:
        """Each place with the beginning of its line, "" if that was not read."""
        return [(fault, self.texts.get(fault.line, "")) for fault in self.places]

    @property
    def unseen(self) -> int:
        return self.total - len(self.faults) if self.places else 0


@dataclass(frozen=True, slots=True)
class Offer:
    """What a file would cost in one completion window, and what that saves against realtime."""

    window: str
    estimate: Estimate
    saving: str

    @property
    def is_realtime(self) -> bool:
        return self.window == REALTIME

    @property
    def expected(self) -> str:
        return _expected(self.estimate)

    @property
    def ceiling(self) -> str:
        """The most it can cost, if anything bounds it; the input's tokens are counted by ratio."""
        if self.estimate.ceiling_usd is None:
            return "not known" if self.estimate.unpriced else "no limit"
        return f"~{usd(self.estimate.ceiling_usd)}"


def fault_groups(report: Report) -> list[FaultGroup]:
    """Errors first, and in each severity what happens most."""
    by_code: defaultdict[str, list[Fault]] = defaultdict(list)
    for fault in report.faults:
        by_code[fault.code].append(fault)
    groups = [
        FaultGroup(code, faults[0].severity, report.fault_totals.get(code, len(faults)), faults)
        for code, faults in by_code.items()
    ]
    return sorted(groups, key=lambda group: (ORDER.index(group.severity), -group.total))


def with_excerpts(groups: list[FaultGroup], found: Upload) -> list[FaultGroup]:
    """The groups with the texts of their first lines, all of which one reading finds.

    A line with a secret in it is not repeated on a page.
    """
    secret = {fault.line for group in groups if group.code == "secret" for fault in group.faults}
    shown = {fault.line for group in groups for fault in group.places[:EXCERPTS_SHOWN]} - secret
    texts = intake.excerpts(found, shown) if shown else {}
    return [replace(group, texts=texts) for group in groups]


def quotes_for(report: Report, connection: Connection, at: datetime) -> dict[str, Estimate]:
    """What the file would cost in each completion window of ``connection``, and at once."""
    return ordering.quote(report, connection, [*connection.windows, REALTIME], at)


def offers(quotes: dict[str, Estimate]) -> list[Offer]:
    """One for each completion window, and the realtime price to compare."""
    realtime = quotes[REALTIME]
    return [Offer(window, quote, _saving(quote, realtime)) for window, quote in quotes.items()]


def _expected(estimate: Estimate) -> str:
    if estimate.expected_usd is None:
        return "no price"
    if estimate.unpriced:
        return at_least(estimate.expected_usd, len(estimate.unpriced))
    return f"~{usd(estimate.expected_usd)}"


def _saving(quote: Estimate, realtime: Estimate) -> str:
    """Per cent less than realtime, where both are known in full."""
    ours, theirs = quote.expected_usd, realtime.expected_usd
    if quote is realtime or quote.unpriced or realtime.unpriced or not theirs or ours is None:
        return ""
    percent = int(100 * (1 - ours / theirs) if ours < theirs else Decimal(0))
    return f"{percent} % less than realtime" if percent else ""

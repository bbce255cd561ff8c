"""Models of a file that the price table does not know: misspelt, or new to it."""

from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches

from batchapp.domain.corrections.corrector import CorrectionKind
from batchapp.domain.money import model_patterns
from batchapp.domain.money.estimate import Estimate
from batchapp.domain.request_files.check_file import Finding, Report, Severity
from batchapp.domain.request_files.findings import presentable
from batchapp.models import REALTIME, Connection
from batchapp.presenters.file_report import FindingGroup, OfferedCorrection

NO_PRICE = "no_price"
"""A finding that only the portal has: the price table is no part of a file."""

UNPRICED_NAMED = 5
"""Models without a price that are called by their names."""


@dataclass(frozen=True, slots=True)
class NoPrice(FindingGroup):
    """What is said of them among the findings of the check."""

    has_choice: bool = False
    """Whether there is a model with a price to set instead."""

    @property
    def corrections(self) -> list[OfferedCorrection]:
        name = CorrectionKind.SET_MODEL.value
        return (
            [OfferedCorrection(name, "Set another model", every_model=True)]
            if self.has_choice
            else []
        )


def unpriced_models(quotes: dict[str, Estimate]) -> list[str]:
    """Those without a price in any window on offer, as in the file."""
    offered = [quote.unpriced for window, quote in quotes.items() if window != REALTIME]
    firsts = offered[0] if offered else []
    return [model for model in firsts if all(model in each for each in offered)]


def priced_models(connection: Connection, report: Report, at: datetime) -> list[str]:
    """What can be chosen: models with a price of their own, and the file's that a ``*`` prices."""
    rows = connection.prices.in_force(at).filter(window__in=connection.windows).order_by("model")
    names = list(rows.values_list("model", flat=True).distinct())
    known = model_patterns.Names(names)
    exact = {name for name in names if not model_patterns.is_pattern(name)}
    return sorted(exact | {model for model in report.models if known.best(model)})


def no_price(report: Report, unpriced: list[str], connection: Connection, at: datetime) -> NoPrice:
    """What is said of the ``unpriced`` models of a file, at least one."""
    choice = priced_models(connection, report, at)
    told = [_with_neighbour(model, choice) for model in unpriced[:UNPRICED_NAMED]]
    if unseen := len(unpriced) - len(told):
        told.append(f"{unseen:,} more")
    message = (
        f"{connection} has no price on file for {', '.join(told)}. Unknown is not free: if the "
        "name is right, ask an operator to enter the price."
    )
    finding = Finding(0, "", Severity.WARNING, NO_PRICE, message)
    total = sum(report.models[model].requests for model in unpriced)
    return NoPrice(finding.code, finding.severity, total, [finding], has_choice=bool(choice))


def _with_neighbour(model: str, choice: list[str]) -> str:
    near = get_close_matches(model, choice, n=1)
    return f"{presentable(model)} (is it {near[0]}?)" if near else presentable(model)

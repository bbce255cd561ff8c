"""The models of a file without a price, because they are misspelt or new to the table."""

from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches

from batchapp.domain.corrections.correction_rules import CorrectionKind
from batchapp.domain.money import model_patterns
from batchapp.domain.money.estimate import Estimate
from batchapp.domain.request_files.check_file import Finding, Report, Severity
from batchapp.domain.request_files.findings import presentable
from batchapp.models import REALTIME, Connection
from batchapp.presenters.file_report import FindingGroup, OfferedCorrection

NO_PRICE = "no_price"  # only the portal has this finding: prices are not part of a file
MAX_NAMED_MODELS = 5  # models without a price that the message names


@dataclass(frozen=True, slots=True)
class UnpricedGroup(FindingGroup):
    """``has_choice`` means that there are models with a price to set instead."""

    has_choice: bool = False

    @property
    def corrections(self) -> list[OfferedCorrection]:
        if not self.has_choice:
            return []
        name = CorrectionKind.SET_MODEL.value
        return [OfferedCorrection(name, "Set another model", every_model=True)]


def unpriced_models(quotes: dict[str, Estimate]) -> list[str]:
    """Return the models without a price in any window on offer, in the order of the file."""
    offered = [quote.unpriced for window, quote in quotes.items() if window != REALTIME]
    first = offered[0] if offered else []
    return [model for model in first if all(model in unpriced for unpriced in offered)]


def priced_models(connection: Connection, report: Report, at: datetime) -> list[str]:
    """Return models with a price of their own, and models of the file that a pattern prices."""
    rows = connection.prices.in_force(at).filter(window__in=connection.windows).order_by("model")
    names = list(rows.values_list("model", flat=True).distinct())
    known = model_patterns.ModelNames(names)
    exact = {name for name in names if not model_patterns.is_pattern(name)}
    return sorted(exact | {model for model in report.models if known.best_match(model)})


def unpriced_group(
    report: Report, unpriced: list[str], connection: Connection, at: datetime
) -> UnpricedGroup:
    """Return the finding about the ``unpriced`` models, of which there is at least one."""
    choice = priced_models(connection, report, at)
    names = [_with_similar_name(model, choice) for model in unpriced[:MAX_NAMED_MODELS]]
    if unnamed := len(unpriced) - len(names):
        names.append(f"{unnamed:,} more")
    message = (
        f"{connection} has no price on file for {', '.join(names)}. Unknown is not free: if the "
        "name is right, ask an administrator to enter the price."
    )
    finding = Finding(0, "", Severity.WARNING, NO_PRICE, message)
    total = sum(report.models[model].requests for model in unpriced)
    return UnpricedGroup(finding.code, finding.severity, total, [finding], has_choice=bool(choice))


def _with_similar_name(model: str, choice: list[str]) -> str:
    similar = get_close_matches(model, choice, n=1)
    return f"{presentable(model)} (is it {similar[0]}?)" if similar else presentable(model)

"""The corrections that are possible for a file, and those that are chosen to begin with."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from django.utils import timezone

from batchapp.domain.corrections.correction_rules import (
    CORRECTION_RULES,
    CorrectionKind,
    corrections_for,
)
from batchapp.domain.corrections.plan import Plan
from batchapp.domain.request_files.check_file import Report
from batchapp.domain.request_files.findings import Severity, severity_of
from batchapp.models import ProviderBatch, Upload
from batchapp.presenters.batches.refused_models import refused_models
from batchapp.presenters.file_report import quotes_from_histories, repetition
from batchapp.presenters.unpriced_models import priced_models, unpriced_models
from batchapp.services.files import correct_file

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CorrectionOptions:
    """``models`` have a price; the models of the file in ``unpriced`` have none.

    ``refused`` are models of the file that the provider did not take in a batch of it.
    ``plan`` also has corrections of what the findings of the file hide. ``saving`` is the cost of
    the repeated requests in words; "" if there are none, or if it is not known.
    """

    report: Report
    models: list[str]
    unpriced: list[str]
    plan: Plan | None = None
    saving: str = ""
    refused: Sequence[str] = ()

    @property
    def corrections(self) -> list[CorrectionKind]:
        """The possible corrections, in the order in which they are made."""
        return offered_corrections(
            self.report,
            self.plan,
            replaces_models=bool(self.models and (self.unpriced or self.refused)),
        )

    @property
    def default_corrections(self) -> list[str]:
        """For each error and warning, the correction that keeps the most of the file."""
        impossible = set() if self.models else {CorrectionKind.SET_MODEL}
        chosen = set(self.plan.corrections) if self.plan else set()
        if self.plan and self.plan.asks_model:
            chosen.add(CorrectionKind.SET_MODEL)
        for code in self.report.finding_totals:
            kinds = [
                kind
                for kind in corrections_for(code)
                if kind not in impossible and CORRECTION_RULES[kind].is_default
            ]
            if kinds and severity_of(code) is not Severity.INFO:
                chosen.add(kinds[0])
        return [kind.value for kind in CORRECTION_RULES if kind in chosen - impossible]

    @property
    def replaces_models(self) -> bool:
        """Return True if SET_MODEL is offered only to replace models that the requests name."""
        codes = set(CORRECTION_RULES[CorrectionKind.SET_MODEL].codes)
        is_wanted = bool(self.unpriced or self.refused)
        return is_wanted and not self.report.finding_totals.keys() & codes

    @property
    def default_model(self) -> str:
        """The priced model of most requests, or the one with the most similar name."""
        facts, models = self.report.models, self.models
        used = sorted(facts, key=lambda name: -facts[name].requests)
        replaced = [*self.refused, *self.unpriced]
        similar = [row for name in replaced for row in get_close_matches(name, models, n=1)]
        fallback = [] if replaced else models[:1]
        return next((name for name in [*used, *similar, *fallback] if name in models), "")


def options_for(upload: Upload, report: Report) -> CorrectionOptions:
    now, connection = timezone.now(), upload.project.connection
    quotes = quotes_from_histories(report, connection, now, None)
    repeated = repetition(report, quotes, {})
    stopped = ProviderBatch.objects.needing_attention().filter(batch__upload=upload)
    refused = refused_models((row.problem for row in stopped), report.models)
    models = priced_models(connection, report, now)
    return CorrectionOptions(
        report,
        models=[model for model in models if model not in refused],
        unpriced=unpriced_models(quotes),
        plan=plan_for(upload, report),
        saving=repeated.saving if repeated else "",
        refused=refused,
    )


def has_other_model(upload: Upload, refused: Sequence[str]) -> bool:
    """Return True if the requests of ``upload`` can name a model in the place of ``refused``."""
    if not refused or upload.purged_at or not (report := upload.report):
        return False
    models = priced_models(upload.project.connection, report, timezone.now())
    return any(model not in refused for model in models)


def plan_for(upload: Upload, report: Report) -> Plan | None:
    """Return the plan of corrections of a file; None also if the file cannot be read."""
    try:
        return correct_file.plan_corrections(upload, report)
    except OSError:
        logger.warning("upload %s: its bytes cannot be read", upload.pk, exc_info=True)
        return None


def offered_corrections(
    report: Report, plan: Plan | None, *, replaces_models: bool
) -> list[CorrectionKind]:
    """Return the possible corrections of a file, in the order in which they are made.

    ``replaces_models`` says that the file names models that are refused or have no price, and
    that models with a price exist.
    """
    if report.is_gzip:  # the archive was cut off, so its end is unknown
        return []
    kinds = {kind for code in report.finding_totals for kind in corrections_for(code)}
    if plan:
        kinds |= plan.corrections
    if replaces_models or (plan and plan.asks_model):
        kinds.add(CorrectionKind.SET_MODEL)
    if not report.models and not plan:  # nothing would be left
        kinds.discard(CorrectionKind.DROP_BAD_ROWS)
    return [kind for kind in CORRECTION_RULES if kind in kinds]

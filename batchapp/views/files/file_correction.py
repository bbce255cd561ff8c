"""Faults of a file put right on its page: chosen, looked at, and made into a new version."""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from batchapp.access import require_member, upload_of
from batchapp.domain.corrections.corrected_file import describe_changes
from batchapp.domain.corrections.corrector import (
    CORRECTION_RULES,
    CorrectionKind,
    CorrectionRule,
    corrections_for,
)
from batchapp.domain.request_files.check_file import Report
from batchapp.domain.request_files.findings import Severity, severity_of
from batchapp.forms.files.corrections import CorrectionForm
from batchapp.http import Request, wants_fragment
from batchapp.models import Upload
from batchapp.presenters.file_report import quotes_by, title_of
from batchapp.presenters.order_wizard import report_of
from batchapp.presenters.unpriced_models import NO_PRICE, priced_models, unpriced_models
from batchapp.services.files import correct_file
from batchapp.tasks import wake
from batchapp.templatetags.words import count

PAGE = "batchapp/files/file_correct.html"


@dataclass(frozen=True, slots=True)
class Means:
    """What a file can be corrected with: ``models`` have a price, the file's ``unpriced`` none."""

    report: Report
    models: list[str]
    unpriced: list[str]

    @property
    def corrections(self) -> list[CorrectionKind]:
        return offered_corrections(self.report, has_unpriced=bool(self.models and self.unpriced))

    @property
    def is_about_names(self) -> bool:
        """Whether a model is offered only for those that requests name already."""
        corrections = CORRECTION_RULES[CorrectionKind.SET_MODEL].codes
        return bool(self.unpriced) and not self.report.finding_totals.keys() & set(corrections)

    @property
    def usual_model(self) -> str:
        """The one that most of the file asks for already, or whose name is nearest."""
        facts, models = self.report.models, self.models
        known = sorted(facts, key=lambda name: -facts[name].requests)
        near = [each for name in self.unpriced for each in get_close_matches(name, models, n=1)]
        others = [] if self.unpriced else models[:1]
        return next((name for name in [*known, *near, *others] if name in models), "")


@dataclass(frozen=True, slots=True)
class Offered:
    """One repair with what is known of its reach."""

    correction_kind: CorrectionKind
    rule: CorrectionRule
    findings: list[str]
    reach: str
    is_chosen: bool


@require_http_methods(["GET", "HEAD", "POST"])
def file_correct(request: Request, pk: UUID) -> HttpResponse:
    """Choose corrections, see what they change, and have a corrected version made."""
    found = upload_of(request, pk)
    require_member(request, found.project)
    report = report_of(found)
    means = _means(found, report) if report else None
    if means is None or not (offered := means.corrections):
        if request.method == "POST":
            return redirect(found)
        raise Http404
    models = means.models
    if request.method != "POST":
        chosen = [each for each in request.GET.getlist("corrections") if each in offered]
        data = {
            "corrections": chosen or usual(means.report, has_models=bool(models)),
            "model": means.usual_model,
            "max_tokens": "",
            "every_model": "every_model" in request.GET or means.is_about_names,
        }
        form = CorrectionForm(initial=data, offered=offered, models=models)
        trial = CorrectionForm(data, offered=offered, models=models)
        context = _context(found, means, form, trial if trial.is_valid() else None)
        return render(request, PAGE, context)
    form = CorrectionForm(request.POST, offered=offered, models=models)
    if form.is_valid() and "preview" not in request.POST:
        fresh = correct_file.request_correction(
            found, request.user, form.choice, submission=form.sender
        )
        wake(fresh)
        return redirect(fresh)
    context = _context(found, means, form, form if form.is_valid() else None)
    page = f"{PAGE}#preview" if wants_fragment(request) else PAGE
    return render(request, page, context)


def offered_corrections(report: Report, *, has_unpriced: bool) -> list[CorrectionKind]:
    """All that can be offered for a file, in the order in which it is done.

    ``has_unpriced``: it asks for models without a price, and there are others to set instead.
    """
    if report.is_gzip:  # an archive that broke off: what is behind is not known
        return []
    corrections = {
        correction_kind
        for code in report.finding_totals
        for correction_kind in corrections_for(code)
    }
    if has_unpriced:
        corrections.add(CorrectionKind.SET_MODEL)
    return [
        correction_kind for correction_kind in CORRECTION_RULES if correction_kind in corrections
    ]


def usual(report: Report, *, has_models: bool) -> list[str]:
    """What is ticked to begin with: of each error and warning, the cure that keeps most."""
    possible = [
        correction_kind
        for correction_kind in CORRECTION_RULES
        if has_models or correction_kind is not CorrectionKind.SET_MODEL
    ]
    firsts = set()
    for code in report.finding_totals:
        corrections = [
            correction_kind
            for correction_kind in corrections_for(code)
            if correction_kind in possible
        ]
        if corrections and severity_of(code) is not Severity.INFO:
            firsts.add(corrections[0])
    return [
        correction_kind.value for correction_kind in CORRECTION_RULES if correction_kind in firsts
    ]


def _means(found: Upload, report: Report) -> Means:
    now, connection = timezone.now(), found.project.connection
    unpriced = unpriced_models(quotes_by(report, connection, now, None))
    return Means(report, priced_models(connection, report, now), unpriced)


def _context(
    found: Upload, means: Means, form: CorrectionForm, asked: CorrectionForm | None
) -> dict[str, Any]:
    """The page; ``asked`` is what a preview is made of, None while the form is not complete."""
    chosen = [str(each) for each in form["corrections"].value() or []]
    context: dict[str, Any] = {
        "upload": found,
        "project": found.project,
        "form": form,
        "offered": [_offered(each, means, chosen) for each in means.corrections],
        "has_models": len(form.fields["model"].choices) > 1,  # type: ignore[attr-defined]
        "nav": "projects",
        "tab": "file_list",
    }
    if asked is None:
        return context
    try:
        trial = correct_file.try_correction(found, asked.choice)
    except OSError:
        return context | {"is_gone": True}
    words = describe_changes(trial.preview.changed, asked.choice)
    return context | {"trial": trial, "words": words}


def _offered(correction_kind: CorrectionKind, means: Means, chosen: list[str]) -> Offered:
    report = means.report
    codes = [code for code in report.finding_totals if correction_kind in corrections_for(code)]
    total = sum(report.finding_totals[code] for code in codes)
    reach = count(total, "line")
    if correction_kind is CorrectionKind.DROP_BAD_ROWS and total > 1:
        reach = f"at most {reach}"  # one line can have several errors
    findings = [title_of(code) for code in codes]
    has_unpriced = correction_kind is CorrectionKind.SET_MODEL and bool(means.unpriced)
    if has_unpriced:
        findings.append(title_of(NO_PRICE))
    if has_unpriced or codes == ["mixed_models"]:
        reach = count(sum(each.requests for each in report.models.values()), "line")
    return Offered(
        correction_kind,
        CORRECTION_RULES[correction_kind],
        findings,
        reach,
        correction_kind in chosen,
    )

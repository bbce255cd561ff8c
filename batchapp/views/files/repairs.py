"""Faults of a file put right on its page: chosen, looked at, and made into a new version."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from batchapp.domain.preflight.corrections import in_words
from batchapp.domain.preflight.faults import Severity, severity_of
from batchapp.domain.preflight.jsonl import Report
from batchapp.domain.preflight.repairs import REMEDIES, Remedy, Repair, cures_of
from batchapp.forms.repairs import RepairForm
from batchapp.http import Request, wants_fragment
from batchapp.models import Upload
from batchapp.services import repairing
from batchapp.tasks import wake
from batchapp.templatetags.words import count
from batchapp.views.access import require_member, upload_of
from batchapp.views.files.preflight import title_of
from batchapp.views.ordering.flow import report_of

PAGE = "batchapp/files/file_repair.html"


@dataclass(frozen=True, slots=True)
class Offered:
    """One repair with what is known of its reach."""

    repair: Repair
    remedy: Remedy
    findings: list[str]
    reach: str
    is_chosen: bool


@require_http_methods(["GET", "HEAD", "POST"])
def upload_repair(request: Request, pk: UUID) -> HttpResponse:
    """Choose corrections, see what they change, and have a corrected version made."""
    found = upload_of(request, pk)
    require_member(request, found.project)
    report = report_of(found)
    if report is None or not (offered := repairs_for(report)):
        if request.method == "POST":
            return redirect(found)
        raise Http404
    models = _priced_models(found)
    if request.method != "POST":
        chosen = [each for each in request.GET.getlist("repairs") if each in offered]
        data = {
            "repairs": chosen or usual(report, has_models=bool(models)),
            "model": _usual_model(report, models),
            "max_tokens": "",
        }
        form = RepairForm(initial=data, offered=offered, models=models)
        trial = RepairForm(data, offered=offered, models=models)
        context = _context(found, report, form, trial if trial.is_valid() else None)
        return render(request, PAGE, context)
    form = RepairForm(request.POST, offered=offered, models=models)
    if form.is_valid() and "preview" not in request.POST:
        fresh = repairing.begin(found, request.user, form.choice, submission=form.sender)
        wake(fresh)
        return redirect(fresh)
    context = _context(found, report, form, form if form.is_valid() else None)
    page = f"{PAGE}#preview" if wants_fragment(request) else PAGE
    return render(request, page, context)


def repairs_for(report: Report) -> list[Repair]:
    """All that can be offered for a file, in the order in which it is done."""
    if report.is_gzip:  # an archive that broke off: what is behind is not known
        return []
    cures = {repair for code in report.fault_totals for repair in cures_of(code)}
    return [repair for repair in REMEDIES if repair in cures]


def usual(report: Report, *, has_models: bool) -> list[str]:
    """What is ticked to begin with: of each error and warning, the cure that keeps most."""
    possible = [repair for repair in REMEDIES if has_models or repair is not Repair.SET_MODEL]
    firsts = set()
    for code in report.fault_totals:
        cures = [repair for repair in cures_of(code) if repair in possible]
        if cures and severity_of(code) is not Severity.INFO:
            firsts.add(cures[0])
    return [repair.value for repair in REMEDIES if repair in firsts]


def _usual_model(report: Report, models: list[str]) -> str:
    """The one that most of the file asks for already, if it can be chosen."""
    known = sorted(report.models, key=lambda name: -report.models[name].requests)
    return next((name for name in [*known, *models[:1]] if name in models), "")


def _priced_models(found: Upload) -> list[str]:
    prices = found.project.connection.prices.in_force(timezone.now())
    return list(prices.order_by("model").values_list("model", flat=True).distinct())


def _context(
    found: Upload, report: Report, form: RepairForm, asked: RepairForm | None
) -> dict[str, Any]:
    """The page; ``asked`` is what a preview is made of, None while the form is not complete."""
    chosen = [str(each) for each in form["repairs"].value() or []]
    context: dict[str, Any] = {
        "upload": found,
        "project": found.project,
        "form": form,
        "offered": [_offered(each, report, chosen) for each in repairs_for(report)],
        "has_models": len(form.fields["model"].choices) > 1,  # type: ignore[attr-defined]
        "nav": "projects",
        "tab": "uploads",
    }
    if asked is None:
        return context
    try:
        trial = repairing.attempt(found, asked.choice)
    except OSError:
        return context | {"is_gone": True}
    words = in_words(trial.preview.changed, asked.choice)
    return context | {"trial": trial, "words": words}


def _offered(repair: Repair, report: Report, chosen: list[str]) -> Offered:
    codes = [code for code in report.fault_totals if repair in cures_of(code)]
    total = sum(report.fault_totals[code] for code in codes)
    reach = count(total, "line")
    if repair is Repair.DROP_BAD_ROWS and total > 1:
        reach = f"at most {reach}"  # one line can have several errors
    if codes == ["mixed_models"]:
        reach = count(sum(each.requests for each in report.models.values()), "line")
    return Offered(
        repair, REMEDIES[repair], [title_of(code) for code in codes], reach, repair in chosen
    )

"""The page that corrects a file: choose corrections, preview them, write a new version."""

from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from batchapp.domain.corrections.corrected_file import Example, list_changes
from batchapp.domain.corrections.correction_rules import (
    CORRECTION_RULES,
    URL_WRITERS,
    Choice,
    CorrectionKind,
    CorrectionRule,
    corrections_for,
)
from batchapp.domain.request_files.check_file import Report
from batchapp.domain.request_files.findings import Severity, severity_of
from batchapp.forms.files.corrections import CorrectionForm
from batchapp.http import Request, wants_fragment
from batchapp.models import Upload
from batchapp.presenters.file_report import quotes_from_histories, title_of
from batchapp.presenters.order_wizard import report_of
from batchapp.presenters.unpriced_models import NO_PRICE, priced_models, unpriced_models
from batchapp.services.files import correct_file
from batchapp.tasks import wake
from batchapp.templatetags.words import count
from batchapp.views.permissions import require_member, upload_of

# Findings of lines that may not tell their endpoint, or that several can take.
URL_LEFT_OPEN = frozenset(
    {
        *("anthropic_batch", "bedrock_batch", "no_method_and_url", "bare_bodies"),
        "missing_url",
    }
)

PAGE = "batchapp/files/file_correct.html"


@dataclass(frozen=True, slots=True)
class CorrectionOptions:
    """``models`` have a price; the models of the file in ``unpriced`` have none."""

    report: Report
    models: list[str]
    unpriced: list[str]

    @property
    def corrections(self) -> list[CorrectionKind]:
        return offered_corrections(self.report, has_unpriced=bool(self.models and self.unpriced))

    @property
    def replaces_models(self) -> bool:
        """Return True if SET_MODEL is offered only to replace models without a price."""
        codes = set(CORRECTION_RULES[CorrectionKind.SET_MODEL].codes)
        return bool(self.unpriced) and not self.report.finding_totals.keys() & codes

    @property
    def default_model(self) -> str:
        """The priced model of most requests, or the one with the most similar name."""
        facts, models = self.report.models, self.models
        used = sorted(facts, key=lambda name: -facts[name].requests)
        similar = [row for name in self.unpriced for row in get_close_matches(name, models, n=1)]
        fallback = [] if self.unpriced else models[:1]
        return next((name for name in [*used, *similar, *fallback] if name in models), "")


@dataclass(frozen=True, slots=True)
class CorrectionChoice:
    """``reach`` says how many lines the correction changes, ``example`` shows the first of them.

    ``example`` is None if the first is far into the file, or if the correction lacks its value.
    """

    kind: CorrectionKind
    rule: CorrectionRule
    findings: list[str]
    reach: str
    is_chosen: bool
    example: Example | None
    asks_url: bool = False


@require_http_methods(["GET", "HEAD", "POST"])
def file_correct(request: Request, pk: UUID) -> HttpResponse:
    """Choose corrections, preview their changes, and request a corrected version."""
    upload = upload_of(request, pk)
    require_member(request, upload.project)
    report = report_of(upload)
    options = _options(upload, report) if report else None
    if options is None or not (offered := options.corrections):
        if request.method == "POST":
            return redirect(upload)
        raise Http404
    models = options.models
    urls = upload.project.connection.limits.urls
    make_form = partial(CorrectionForm, offered=offered, models=models, urls=urls)
    if request.method != "POST":
        chosen = [name for name in request.GET.getlist("corrections") if name in offered]
        data = {
            "corrections": chosen or default_corrections(options.report, has_models=bool(models)),
            "model": options.default_model,
            "max_tokens": "",
            "url": "",
            "every_model": "every_model" in request.GET or options.replaces_models,
        }
        form = make_form(initial=data)
        trial = make_form(data)
        context = _context(upload, options, form, trial if trial.is_valid() else None)
        return render(request, PAGE, context)
    form = make_form(request.POST)
    if form.is_valid() and "preview" not in request.POST:
        corrected = correct_file.request_correction(
            upload, request.user, form.choice, submission=form.submission_id
        )
        wake(corrected)
        return redirect(corrected)
    context = _context(upload, options, form, form if form.is_valid() else None)
    page = f"{PAGE}#preview" if wants_fragment(request) else PAGE
    return render(request, page, context)


def offered_corrections(report: Report, *, has_unpriced: bool) -> list[CorrectionKind]:
    """Return the possible corrections of a file, in the order in which they are applied.

    ``has_unpriced`` says that the file names models without a price, and that models with a
    price exist.
    """
    if report.is_gzip:  # the archive was cut off, so its end is unknown
        return []
    kinds = {kind for code in report.finding_totals for kind in corrections_for(code)}
    if has_unpriced:
        kinds.add(CorrectionKind.SET_MODEL)
    if not report.models:  # nothing would be left
        kinds.discard(CorrectionKind.DROP_BAD_ROWS)
    return [kind for kind in CORRECTION_RULES if kind in kinds]


def default_corrections(report: Report, *, has_models: bool) -> list[str]:
    """Return, for each error and warning, the correction that keeps the most of the file."""
    impossible = set() if has_models else {CorrectionKind.SET_MODEL}
    chosen = set()
    for code in report.finding_totals:
        kinds = [
            kind
            for kind in corrections_for(code)
            if kind not in impossible and CORRECTION_RULES[kind].is_default
        ]
        if kinds and severity_of(code) is not Severity.INFO:
            chosen.add(kinds[0])
    return [kind.value for kind in CORRECTION_RULES if kind in chosen]


def _options(upload: Upload, report: Report) -> CorrectionOptions:
    now, connection = timezone.now(), upload.project.connection
    unpriced = unpriced_models(quotes_from_histories(report, connection, now, None))
    return CorrectionOptions(report, priced_models(connection, report, now), unpriced)


def _context(
    upload: Upload,
    options: CorrectionOptions,
    form: CorrectionForm,
    valid_form: CorrectionForm | None,
) -> dict[str, Any]:
    """Return the context of the page; ``valid_form`` decides on the preview, if it is given."""
    chosen = [str(value) for value in form["corrections"].value() or []]
    context: dict[str, Any] = {
        "upload": upload,
        "project": upload.project,
        "form": form,
        "choices": lambda: [  # the fragment does without them, and without reading the file
            _choice(upload, kind, options, form, is_chosen=kind in chosen)
            for kind in options.corrections
        ],
        "has_models": len(form.fields["model"].choices) > 1,  # type: ignore[attr-defined]
        "nav": "projects",
        "tab": "file_list",
    }
    if valid_form is None:
        return context
    try:
        trial = correct_file.try_correction(upload, valid_form.choice)
    except OSError:
        return context | {"is_file_missing": True}
    changes = list_changes(trial.preview.changed, valid_form.choice)
    return context | {"trial": trial, "changes": changes}


def _choice(
    upload: Upload,
    kind: CorrectionKind,
    options: CorrectionOptions,
    form: CorrectionForm,
    *,
    is_chosen: bool,
) -> CorrectionChoice:
    report = options.report
    codes = [code for code in report.finding_totals if kind in corrections_for(code)]
    total = sum(report.finding_totals[code] for code in codes)
    reach = count(total, "line")
    if kind is CorrectionKind.DROP_BAD_ROWS and total > 1:
        reach = f"at most {reach}"  # one line can have several errors
    findings = [title_of(code) for code in codes]
    has_unpriced = kind is CorrectionKind.SET_MODEL and bool(options.unpriced)
    if has_unpriced:
        findings.append(title_of(NO_PRICE))
    if has_unpriced or codes == ["mixed_models"]:
        reach = count(sum(facts.requests for facts in report.models.values()), "line")
    return CorrectionChoice(
        kind,
        CORRECTION_RULES[kind],
        findings,
        reach,
        is_chosen,
        _example(upload, kind, report, form),
        asks_url=kind in URL_WRITERS and not URL_LEFT_OPEN.isdisjoint(codes),
    )


def _example(
    upload: Upload, kind: CorrectionKind, report: Report, form: CorrectionForm
) -> Example | None:
    """Return the first line that ``kind`` changes; None if its value is missing."""
    tokens = str(form["max_tokens"].value() or "")
    choice = Choice(
        frozenset({kind}),
        url=form["url"].value() or "",
        model=form["model"].value() or "",
        max_tokens=int(tokens) if tokens.isdecimal() else 0,
        every_model=bool(form["every_model"].value()),
    )
    needs = CORRECTION_RULES[kind].needs
    if needs and (not getattr(choice, needs) or needs in form.errors):
        return None
    lines = [row for row in report.findings if row.line and kind in corrections_for(row.code)]
    # A line that nothing else corrects is the better example of what is dropped.
    lines.sort(key=lambda row: len(corrections_for(row.code)))
    try:
        return correct_file.first_example(upload, choice, next(iter(lines), None))
    except OSError:
        return None

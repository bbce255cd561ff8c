"""The page that corrects a file: choose corrections, preview them, write a new version."""

from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
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
from batchapp.forms.files.corrections import CorrectionForm
from batchapp.http import Request, wants_fragment
from batchapp.models import Upload
from batchapp.presenters.correction_options import CorrectionOptions, options_for
from batchapp.presenters.file_report import title_of
from batchapp.presenters.order_wizard import report_of
from batchapp.presenters.unpriced_models import NO_PRICE
from batchapp.services.files import correct_file
from batchapp.tasks import wake
from batchapp.templatetags.words import count
from batchapp.views.permissions import require_editor, upload_with_content

# Findings of lines that may not tell their endpoint, or that several can take.
URL_LEFT_OPEN = frozenset(
    {
        *("anthropic_batch", "bedrock_batch", "no_method_and_url", "bare_bodies"),
        "missing_url",
    }
)

PAGE = "batchapp/files/file_correct.html"


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
    upload = upload_with_content(request, pk)
    require_editor(request, upload.project)
    report = report_of(upload)
    options = options_for(upload, report) if report else None
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
            "corrections": chosen or options.default_corrections,
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
    if not codes and options.plan:  # what the findings of the file hide
        codes = sorted(code for code in options.plan.codes if kind in corrections_for(code))
        reach = "as far as found"
    if kind is CorrectionKind.DROP_BAD_ROWS and total > 1:
        reach = f"at most {reach}"  # one line can have several errors
    if kind is CorrectionKind.DROP_REPEATED and options.saving:
        reach = f"{reach}, saves {options.saving}"
    findings = [title_of(code) for code in codes]
    sets_model = kind is CorrectionKind.SET_MODEL
    if sets_model and options.refused:
        findings.append(f"refused by {upload.project.connection}")
    if sets_model and options.unpriced:
        findings.append(title_of(NO_PRICE))
    if (sets_model and (options.refused or options.unpriced)) or codes == ["mixed_models"]:
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

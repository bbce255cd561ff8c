"""The steps from a file to a batch, and the query string that carries the choices so far."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import msgspec
from django.urls import reverse
from django.utils.http import urlencode

from batchapp.domain.request_files.check_file import Report
from batchapp.models import Project, SourceTable, Upload


class Step(StrEnum):
    """The steps to a batch; a batch from a table begins with two of its own."""

    FILE = "File"
    TABLE = "Table"
    PROMPT = "Prompt"
    CHECK = "Check"
    WINDOW = "Window"
    REVIEW = "Review & submit"


SHARED_STEPS = [Step.CHECK, Step.WINDOW, Step.REVIEW]

UPLOAD, FILES, TABLE, PASTE, SAMPLE = "upload", "files", "table", "paste", "sample"

CHOICES = ("window", "fallback", "sends_first", "key", "name", "tags", "cost_centre")
LABELS = frozenset({"tags", "cost_centre"})
QUERY_FIELDS = (*CHOICES, "submission")


@dataclass(frozen=True, slots=True)
class WizardStep:
    """``url`` is "" while the step cannot be opened; ``state`` is done, current or todo."""

    name: str
    url: str
    state: str


def wizard_steps(
    current: Step,
    project: Project,
    upload: Upload | None = None,
    query: str = "",
    *,
    table: SourceTable | None = None,
) -> list[WizardStep]:
    """Return all steps, of which ``current`` is shown; ``query`` is added to the links."""
    urls = {
        Step.FILE: reverse("order_choose_file", args=[project.slug]),
        Step.TABLE: reverse("table_add", args=[project.slug]),
    }
    table_id = table.pk if table else upload and not upload.selection and upload.table_id
    if table_id:
        urls[Step.PROMPT] = reverse("table_detail", args=[table_id])
    if upload:
        urls[Step.CHECK] = reverse("order_check", args=[upload.pk]) + query
        if upload.status == Upload.Status.READY:
            urls[Step.WINDOW] = reverse("order_choose_window", args=[upload.pk]) + query
    is_from_table = table_id or current is Step.TABLE
    first = [Step.TABLE, Step.PROMPT] if is_from_table else [Step.FILE]
    names = [*first, *SHARED_STEPS]
    states = ["done" if step < names.index(current) else "todo" for step in range(len(names))]
    states[names.index(current)] = "current"
    return [
        WizardStep(name, urls.get(name, ""), state)
        for name, state in zip(names, states, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class FileSource:
    """A way to the file of a batch; ``number`` is how many the project has, or None."""

    name: str
    url: str
    is_current: bool
    number: int | None = None


def file_sources(project: Project, current: str) -> list[FileSource]:
    """Return the ways to the file of a batch; samples are for projects on a sandbox only."""
    names = {UPLOAD: "Upload", FILES: "Earlier file", TABLE: "Tables", PASTE: "Paste"}
    if project.connection.is_sandbox:
        names[SAMPLE] = "Sample"
    start = reverse("order_choose_file", args=[project.slug])
    urls = {UPLOAD: start, TABLE: reverse("table_add", args=[project.slug])}
    numbers = {FILES: project.uploads.count(), TABLE: project.tables.count()}
    current = current if current in names else UPLOAD
    return [
        FileSource(
            name,
            urls.get(source, f"{start}?from={source}"),
            is_current=source == current,
            number=numbers.get(source),
        )
        for source, name in names.items()
    ]


def order_query(values: Mapping[str, str]) -> str:
    """Return the fields of an order among ``values`` as ``?window=…``; "" if there are none."""
    fields = {name: values[name] for name in QUERY_FIELDS if name in values}
    return f"?{urlencode(fields)}" if fields else ""


def step_url(name: str, upload: Upload, values: Mapping[str, str]) -> str:
    return reverse(name, args=[upload.pk]) + order_query(values)


def report_of(upload: Upload) -> Report | None:
    """Return the report of the check; None if there is none that this version can read."""
    try:
        return upload.report
    except msgspec.ValidationError:
        return None


def report_of_ready(upload: Upload) -> Report | None:
    """Return the report if ``upload`` may go on to the steps after the check."""
    return report_of(upload) if upload.status == Upload.Status.READY else None

"""The steps from a file to a batch, and the address that carries what was chosen on the way."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from django.urls import reverse
from django.utils.http import urlencode

from batchapp.domain.request_files.check_file import Report
from batchapp.models import Project, Upload

NAMES = ["File", "Check", "Model & window", "Review", "Submit"]
FILE, CHECK, WINDOW, REVIEW, SUBMIT = range(5)

CHOICES = ("window", "fallback", "key", "name")
CARRIED = (*CHOICES, "submission")

PLACE = {"nav": "projects", "tab": "project_batch_list", "can_write": True}
"""What the pages around a step know: where it is, and that the person may do this."""


@dataclass(frozen=True, slots=True)
class WizardStep:
    """``url`` is "" while there is no way to it; ``state`` is done, current or todo."""

    name: str
    url: str
    state: str


def wizard_steps(
    here: int, project: Project, upload: Upload | None = None, query: str = ""
) -> list[WizardStep]:
    """All steps as seen from the step ``here``; ``query`` goes with the links."""
    urls = [reverse("order_choose_file", args=[project.slug])]
    if upload:
        urls.append(reverse("order_check", args=[upload.pk]) + query)
        if upload.status == Upload.Status.READY:
            urls.append(reverse("order_choose_window", args=[upload.pk]) + query)
    states = ["done" if step < here else "todo" for step in range(len(NAMES))]
    states[here] = "current"
    urls += [""] * (len(NAMES) - len(urls))
    return [WizardStep(*step) for step in zip(NAMES, urls, states, strict=True)]


def carried(values: Mapping[str, str]) -> str:
    """``?window=…`` and what else of ``values`` belongs to an order; "" if nothing does."""
    kept = {name: values[name] for name in CARRIED if name in values}
    return f"?{urlencode(kept)}" if kept else ""


def step_url(name: str, upload: Upload, values: Mapping[str, str]) -> str:
    return reverse(name, args=[upload.pk]) + carried(values)


def report_of(upload: Upload) -> Report | None:
    """What the check found; None while there is nothing that this version can read."""
    try:
        return upload.report
    except msgspec.ValidationError:
        return None


def report_of_ready(upload: Upload) -> Report | None:
    """What the check found, if it lets ``upload`` go on to the steps after it."""
    return report_of(upload) if upload.status == Upload.Status.READY else None

"""The command palette: search pages, projects, batches, files and the guide by name."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

from django.db.models import Prefetch, QuerySet
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from batchapp import access
from batchapp.forms.palette import PaletteForm
from batchapp.http import Request, render_partial, wants_fragment
from batchapp.models import Batch, Project, ProviderBatch, Upload
from batchapp.pipeline.states import BatchState, state_of
from batchapp.presenters import guide
from batchapp.views.permissions import memberships_of

Row = TypeVar("Row", Batch, Upload)

# Of an entry and of the mark of its project; whole rows of files are large.
UPLOAD_FIELDS = ("name", "project__name", "project__slug", "project__colour")
MAX_ENTRIES = 5  # of each kind; the lists have all

REPORT = ("Report", "cost_report", "chart")
NEW_PROJECT = ("New project", "project_add", "folder")
PAGES = [
    ("Home", "home", "home"),
    ("Batches", "batch_list", "stack"),
    ("Projects", "project_list", "folder"),
    REPORT,
    NEW_PROJECT,
    ("Profile and provider keys", "profile_edit", "person"),
    ("Portal keys, the API keys of scripts", "portal_key_list", "key"),
    ("Change the password", "password_change", "person"),
    ("Guide", "guide_list", "help"),
    ("Terms", "guide_terms", "list"),
]
ADMINISTRATION_PAGES = [
    ("Prices", "price_list", "money"),
    ("E-mail", "mail_show", "mail"),
    ("Models", "offered_model_list", "money"),
    ("Connections", "connection_list", "external"),
    ("People", "person_list", "users"),
    ("All projects", "portal_project_list", "list"),
    ("System", "system_status", "gear"),
    ("What rules would delete", "retention_preview", "trash"),
    ("Django admin", "admin:index", "gear"),
]


class Part(NamedTuple):
    text: str
    is_match: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the palette; ``status`` says in a word what the icon shows, in its ``tone``."""

    name: str
    url: str
    icon: str = ""
    project: Project | None = None
    status: str = ""
    tone: str = ""
    searched: str = ""

    @property
    def parts(self) -> list[Part]:
        """Return the name in parts, of which those that match what is searched are bold."""
        if not self.searched:
            return [Part(self.name, is_match=False)]
        texts = re.split(f"({re.escape(self.searched)})", self.name, flags=re.IGNORECASE)
        return [Part(text, is_match=number % 2 > 0) for number, text in enumerate(texts) if text]


# Its URL has no name here: the API has its own patterns.
THE_API = Entry("The API", "/v1/reference", "list")


@require_safe
def palette(request: Request) -> HttpResponse:
    form = PaletteForm(request.GET)
    groups = list(_groups(request, form.cleaned_data["q"])) if form.is_valid() else []
    context = {
        "form": form,
        "groups": [
            (title, [replace(entry, searched=form.cleaned_data["q"]) for entry in entries])
            for title, entries in groups
            if entries
        ],
        "in_dialog": wants_fragment(request),
    }
    return render_partial(request, "batchapp/palette.html", "entries", context)


def _groups(request: Request, text: str) -> Iterator[tuple[str, list[Entry]]]:
    """Find the entries with one query for each kind of row, and one for the states of batches."""
    memberships_of(request)  # read once for all that follows
    closed = set() if access.can_create(request.user) else {NEW_PROJECT}
    closed |= set() if access.can_read_costs(request.user) else {REPORT}
    pages = [page for page in PAGES if page not in closed]
    pages += ADMINISTRATION_PAGES if access.can_administer(request.user) else []
    matches = [page for page in pages if text.lower() in page[0].lower()][:MAX_ENTRIES]
    yield "Pages", [Entry(name, reverse(url), icon) for name, url, icon in matches]
    projects = Project.objects.visible_to(request.user).filter(name__icontains=text)
    projects = projects.filter(archived_at=None)[:MAX_ENTRIES]
    yield "Projects", [Entry(row.name, row.get_absolute_url(), project=row) for row in projects]
    yield (
        "Batches",
        [
            Entry(
                row.name, row.get_absolute_url(), state.icon, row.project, state.label, state.tone
            )
            for row, state in _newest_batches(request, text)
        ],
    )
    uploads = Upload.objects.visible_to(request.user).with_content().filter(name__icontains=text)
    uploads = uploads.only(*UPLOAD_FIELDS)
    yield (
        "Files",
        [Entry(row.name, row.get_absolute_url(), "file", row.project) for row in _newest(uploads)],
    )
    yield "Guide", list(_sections(text))[:MAX_ENTRIES]


def _sections(text: str) -> Iterator[Entry]:
    """Find articles of the guide, the sections of others, and the API; nothing without a text."""
    if text and text.lower() in THE_API.name.lower():
        yield THE_API
    for article in guide.articles().values() if text else ():
        url = article.get_absolute_url()
        if text.lower() in article.title.lower():
            yield Entry(article.title, url, "help")
            continue
        for anchor, heading in article.sections:
            if text.lower() in heading.lower():
                yield Entry(f"{article.title}: {heading}", f"{url}#{anchor}", "help")


def _newest_batches(request: Request, text: str) -> Iterator[tuple[Batch, BatchState]]:
    """Find batches with their state, which needs a second query."""
    needed = ProviderBatch.objects.only("batch", "status", "parked_reason", "ended_at")
    batches = Batch.objects.visible_to(request.user).filter(name__icontains=text)
    for batch in _newest(batches.prefetch_related(Prefetch("provider_batches", needed))):
        yield batch, state_of(batch, list(batch.provider_batches.all()))


def _newest(rows: QuerySet[Row]) -> QuerySet[Row]:
    return rows.select_related("project").order_by("-created_at", "pk")[:MAX_ENTRIES]

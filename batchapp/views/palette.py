"""The command palette: search pages, projects, batches and files by name."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from batchapp.forms.palette import PaletteForm
from batchapp.http import Request, render_partial, wants_fragment
from batchapp.models import Batch, Project, Upload

MAX_ENTRIES = 5  # of each kind; the lists have all

PAGES = [
    ("Home", "home", "home"),
    ("Batches", "batch_list", "play"),
    ("Projects", "project_list", "folder"),
    ("New project", "project_add", "folder"),
    ("Profile and provider keys", "profile_edit", "person"),
    ("Change the password", "password_change", "person"),
]
STAFF_PAGES = [
    ("Report", "cost_report", "chart"),
    ("Prices", "price_list", "money"),
    ("Admin", "admin:index", "gear"),
]


@dataclass(frozen=True, slots=True)
class Entry:
    name: str
    url: str
    icon: str
    project: str = ""


@require_safe
def palette(request: Request) -> HttpResponse:
    form = PaletteForm(request.GET)
    groups = list(_groups(request, form.cleaned_data["q"])) if form.is_valid() else []
    context = {
        "form": form,
        "groups": [(title, entries) for title, entries in groups if entries],
        "in_dialog": wants_fragment(request),
    }
    return render_partial(request, "batchapp/palette.html", "entries", context)


def _groups(request: Request, text: str) -> Iterator[tuple[str, list[Entry]]]:
    """Find the entries with one query for each kind of row."""
    pages = [*PAGES, *(STAFF_PAGES if request.user.is_staff else [])]
    matches = [page for page in pages if text.lower() in page[0].lower()][:MAX_ENTRIES]
    yield "Pages", [Entry(name, reverse(url), icon) for name, url, icon in matches]
    projects = Project.objects.visible_to(request.user).filter(name__icontains=text)[:MAX_ENTRIES]
    yield "Projects", [Entry(row.name, row.get_absolute_url(), "folder") for row in projects]
    batches = Batch.objects.visible_to(request.user).filter(name__icontains=text)
    yield "Batches", _newest(batches, "batch_detail", "play")
    uploads = Upload.objects.visible_to(request.user).filter(name__icontains=text)
    yield "Files", _newest(uploads, "file_detail", "file")


def _newest(rows: QuerySet[Batch] | QuerySet[Upload], route: str, icon: str) -> list[Entry]:
    """Read only the columns that an entry shows; rows of files are large."""
    newest = rows.order_by("-created_at", "pk")[:MAX_ENTRIES]
    return [
        Entry(name, reverse(route, args=[pk]), icon, project)
        for pk, name, project in newest.values_list("pk", "name", "project__name")
    ]

"""Going anywhere by name: what the command palette lists, and the same as a page."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from batchapp.forms.palette import PaletteForm
from batchapp.http import Request, render_partial, wants_fragment
from batchapp.models import Batch, Project, Upload

SHOWN = 5
"""Of each kind: a palette is read at a glance, and the lists have the rest."""

PAGES = [
    ("Home", "home", "home"),
    ("Batches", "batch_list", "play"),
    ("Projects", "project_list", "folder"),
    ("New project", "project_add", "folder"),
    ("Profile and provider keys", "profile_edit", "person"),
    ("Change the password", "password_change", "person"),
]
FOR_STAFF = [
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
    """Pages, and the person's projects, batches and files, by what they are called."""
    form = PaletteForm(request.GET)
    groups = list(_groups(request, form.cleaned_data["q"])) if form.is_valid() else []
    context = {
        "form": form,
        "groups": [(title, entries) for title, entries in groups if entries],
        "in_dialog": wants_fragment(request),
    }
    return render_partial(request, "batchapp/palette.html", "entries", context)


def _groups(request: Request, text: str) -> Iterator[tuple[str, list[Entry]]]:
    """One query for each kind of row."""
    pages = [*PAGES, *(FOR_STAFF if request.user.is_staff else [])]
    yield (
        "Pages",
        [
            Entry(name, reverse(url), icon)
            for name, url, icon in pages
            if text.lower() in name.lower()
        ][:SHOWN],
    )
    projects = Project.objects.visible_to(request.user).filter(name__icontains=text)
    yield (
        "Projects",
        [Entry(each.name, each.get_absolute_url(), "folder") for each in projects[:SHOWN]],
    )
    batches = Batch.objects.visible_to(request.user).filter(name__icontains=text)
    yield "Batches", _newest(batches, "batch_detail", "play")
    uploads = Upload.objects.visible_to(request.user).filter(name__icontains=text)
    yield "Files", _newest(uploads, "file_detail", "file")


def _newest(rows: QuerySet[Batch] | QuerySet[Upload], route: str, icon: str) -> list[Entry]:
    """Without what a palette does not show, such as all that was found in a file."""
    newest = rows.order_by("-created_at", "pk")[:SHOWN]
    return [
        Entry(name, reverse(route, args=[pk]), icon, project)
        for pk, name, project in newest.values_list("pk", "name", "project__name")
    ]

"""The steps to a first batch, with their state and their address."""

from dataclasses import dataclass, replace

from django.db.models import Q
from django.urls import reverse

from batchapp import access
from batchapp.models import Batch, Connection, Membership, Project, ProviderKey, Upload, User


@dataclass(frozen=True, slots=True)
class Step:
    """``purpose`` is a sentence; ``is_next`` marks the first step that is not done."""

    name: str
    purpose: str
    url: str
    is_done: bool = False
    is_next: bool = False

    @property
    def state(self) -> str:
        return "done" if self.is_done else "next" if self.is_next else ""


def first_steps(user: User) -> list[Step]:
    """Return all steps until a batch is submitted; none for a person who may only view."""
    projects = Project.objects.writable_by(user)
    if Batch.objects.filter(project__in=projects).exists():
        return []
    project = projects.select_related("connection").order_by("created_at").first()
    if project is None and user.memberships.exists():
        return []
    steps = _steps(user, project)
    upcoming = next((step for step in steps if not step.is_done), None)
    return [replace(step, is_next=step is upcoming) for step in steps]


def sandbox_url(user: User) -> str:
    """Return the page that creates a project at a sandbox; "" without one, or for a member."""
    if user.memberships.exists() or not access.can_create(user):
        return ""
    sandbox = Connection.objects.filter(is_sandbox=True).first()
    return f"{reverse('project_add')}?connection={sandbox.pk}" if sandbox else ""


def _steps(user: User, project: Project | None) -> list[Step]:
    if project is None:
        return [
            _first_project_step(user),
            Step("Add a provider key", _key_purpose(None), reverse("profile_edit") + "#keys"),
            Step("Upload a file", _file_purpose(None), reverse("project_list")),
            Step("Submit a batch", BATCH_PURPOSE, reverse("project_list")),
        ]
    projects = Project.objects.writable_by(user)
    upload = Upload.objects.filter(project__in=projects).order_by("-created_at").first()
    files = reverse("order_choose_file", args=[project.slug])
    # The check step leads on once the file is ready, and says what to do about errors.
    upload_url = reverse("order_check", args=[upload.pk]) if upload else files
    return [
        Step("Get into a project", PROJECT_PURPOSE, project.get_absolute_url(), is_done=True),
        Step(
            "Add a provider key",
            _key_purpose(project),
            _keys_url(user, project),
            is_done=_has_key(user),
        ),
        Step("Upload a file", _file_purpose(project), f"{files}#upload", is_done=bool(upload)),
        Step("Submit a batch", BATCH_PURPOSE, upload_url),
    ]


def _first_project_step(user: User) -> Step:
    if access.can_create(user):
        return Step("Get into a project", PROJECT_PURPOSE, reverse("project_add"))
    return Step("Get into a project", INVITED_PURPOSE, reverse("project_list"))


FILE_KINDS = "Excel, CSV or JSONL (one request on each line)."
PROJECT_PURPOSE = (
    "It keeps the files and batches of a team. Create one, or ask an owner of one to invite you."
)
INVITED_PURPOSE = "It keeps the files and batches of a team. Ask an owner of one to add you."
BATCH_PURPOSE = (
    "Choose how long it may take and see what it will cost; nothing is sent before you submit it."
)


def _key_purpose(project: Project | None) -> str:
    if project and project.connection.is_sandbox:
        return "The sandbox takes any key that begins with sk-, and nothing is paid."
    return "The account behind it pays; it is stored encrypted and never shown again."


def _file_purpose(project: Project | None) -> str:
    if project and project.connection.is_sandbox:
        return f"{FILE_KINDS} Or try one of the samples that wait there."
    return f"{FILE_KINDS} It is checked and priced before anything is sent."


def _has_key(user: User) -> bool:
    projects = Project.objects.writable_by(user)
    usable = Q(user=user) | Q(project__in=projects)
    keys = ProviderKey.objects.filter(usable, connection__in=projects.values("connection"))
    return keys.exclude(ciphertext="").exists()


def _keys_url(user: User, project: Project) -> str:
    """Lead an owner to the keys of the project, which serve everybody in it."""
    if user.memberships.filter(project=project, role=Membership.Role.OWNER).exists():
        return reverse("key_list", args=[project.slug])
    return reverse("profile_edit") + "#keys"

"""Build rows for tests. Each function creates the rows it needs, and takes fields of interest."""

import itertools
import json
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

from django.core.files.base import ContentFile
from django.utils import timezone

from batchapp.domain.tables.row_requests import PromptSettings
from batchapp.models import (
    REALTIME,
    ApprovalRequest,
    Batch,
    BatchImport,
    Budget,
    Connection,
    Invitation,
    Membership,
    PortalKey,
    Price,
    Project,
    ProviderBatch,
    ProviderKey,
    ResultColumns,
    SourceTable,
    Upload,
    User,
)
from batchapp.models.audit.origin import AuditSource, coming_from
from batchapp.pipeline import steps
from batchapp.providers.base import Provider
from batchapp.services.files import upload_intake
from batchapp.services.imports import start_import
from batchapp.services.lifecycle import prepare
from batchapp.services.lifecycle.harvest import fetch_results
from batchapp.services.orders import place_order
from batchapp.services.people import invitations
from batchapp.services.portal_keys import portal_keys
from batchapp.services.portal_keys.portal_keys import KeySettings, NewSecret
from batchapp.services.results.columns import build, freshness
from batchapp.services.tables import requests_from_table, table_import

MODEL = "Qwen/Qwen3-30B"
SANDBOX_MODEL = "Qwen/Qwen3.5-9B"
PASSWORD = "correct horse battery"
OWNER, EDITOR, VIEWER = Membership.Role.OWNER, Membership.Role.EDITOR, Membership.Role.VIEWER

_numbers = itertools.count(1)


def make_user(email: str = "", **fields: Any) -> User:
    fields.setdefault("last_seen_at", timezone.now())  # else the first page notes it
    return User.objects.create_user(
        email or f"person{next(_numbers)}@example.com", PASSWORD, **fields
    )


def make_administrator(email: str = "", **fields: Any) -> User:
    return make_user(email, is_staff=True, is_superuser=True, **fields)


def make_auditor(email: str = "", **fields: Any) -> User:
    return make_user(email, is_auditor=True, **fields)


def make_connection(**fields: Any) -> Connection:
    """A provider with prices for ``MODEL``: $1 and $2 per million tokens, realtime twice that."""
    number = next(_numbers)
    fields.setdefault("name", f"Provider {number}")
    fields.setdefault("base_url", f"https://provider{number}.test")
    fields.setdefault("kind", "doubleword")
    connection = Connection.objects.create(**fields)
    for window, factor in [("24h", 1), ("1h", 2), (REALTIME, 2)]:
        make_price(connection, window, Decimal(factor), Decimal(2 * factor))
    return connection


def make_price(
    connection: Connection,
    window: str,
    input_usd: Decimal,
    output_usd: Decimal,
    model: str = MODEL,
) -> Price:
    later = timedelta(seconds=next(_numbers))  # than every row before
    return Price.objects.create(
        connection=connection,
        model=model,
        window=window,
        input_usd=input_usd,
        output_usd=output_usd,
        effective_from=datetime(2025, 1, 1, tzinfo=UTC) + later,
    )


def make_project(*members: User, role: str = EDITOR, **fields: Any) -> Project:
    """A project of ``members``, all in ``role``."""
    number = next(_numbers)
    fields.setdefault("name", f"Project {number}")
    fields.setdefault("slug", f"project-{number}")
    fields.setdefault("connection", fields.get("connection") or make_connection())
    project = Project.objects.create(**fields)
    for user in members:
        join(user, project, role)
    return project


def join(user: User, project: Project, role: str = EDITOR) -> User:
    Membership.objects.create(user=user, project=project, role=role)
    return user


def writer_in(project: Project, user: User | None = None) -> User:
    """The person, by default a new one, who joins the project unless already in it."""
    user = user or make_user()
    if not project.memberships.filter(user=user).exists():
        join(user, project)
    return user


def make_invitation(
    project: Project | None, *, invitee: User | None = None, inviter: User | None = None
) -> Invitation:
    """An invitation by an owner of ``project``, or to the portal by an administrator."""
    email = invitee.email if invitee else f"invited{next(_numbers)}@example.com"
    if project is None:
        inviter = inviter or make_administrator()
        return invitations.invite_to_portal(inviter, email=email, days=7)[0]
    inviter = inviter or join(make_user(), project, OWNER)
    return invitations.invite_to_project(project, inviter, role=EDITOR, email=email, days=7)[0]


def make_key(
    owner: User | Project,
    connection: Connection | None = None,
    secret: str = "sk-test-000000001234",
) -> ProviderKey:
    if isinstance(owner, Project):
        connection = connection or owner.connection
    number = next(_numbers)
    key = ProviderKey(
        connection=connection or make_connection(),
        name=f"Key {number}",
        user=owner if isinstance(owner, User) else None,
        project=owner if isinstance(owner, Project) else None,
    )
    key.set_secret(secret)
    key.secret_set_at = timezone.now() - timedelta(hours=1)  # every replica knows the key
    key.save()
    return key


def make_portal_key(
    user: User, project: Project, *, scope: str = "read", **fields: Any
) -> NewSecret:
    """Make a key by which ``user``, who is in ``project``, acts there; overwrite ``fields``."""
    chosen = KeySettings(f"Script {next(_numbers)}", PortalKey.Scope(scope))
    return _with_fields(portal_keys.create(project, user, chosen), fields)


def make_service_key(
    project: Project, owner: User | None = None, *, scope: str = "read", **fields: Any
) -> NewSecret:
    """Make a service key by ``owner``, by default a new one."""
    owner = owner or join(make_user(), project, OWNER)
    chosen = KeySettings(f"Server {next(_numbers)}", PortalKey.Scope(scope))
    return _with_fields(portal_keys.create_service_key(project, owner, chosen), fields)


def _with_fields(made: NewSecret, fields: dict[str, Any]) -> NewSecret:
    if fields:
        PortalKey.objects.filter(pk=made.key.pk).update(**fields)
        made.key.refresh_from_db()
    return made


def bearer(secret: str) -> dict[str, str]:
    """Return the header that sends ``secret``."""
    return {"Authorization": f"Bearer {secret}"}


def request_line(number: int, *, model: str = MODEL, **changes: Any) -> str:
    """One line of a request file, valid unless ``changes`` say otherwise."""
    request = {
        "custom_id": f"row-{number}",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {
            "model": model,
            "max_tokens": 100,
            "messages": [{"role": "user", "content": f"Question {number}?"}],
        },
    }
    return json.dumps(request | changes)


def request_file(requests: int = 3, *, model: str = MODEL) -> bytes:
    return "".join(f"{request_line(n, model=model)}\n" for n in range(1, requests + 1)).encode()


def make_upload(
    project: Project | None = None,
    user: User | None = None,
    *,
    content: bytes | None = None,
    name: str = "questions.jsonl",
    is_checked: bool = True,
) -> Upload:
    """Upload a file of three valid requests by default, and check it if ``is_checked``."""
    project = project or make_project()
    file = ContentFile(request_file() if content is None else content, name)
    with coming_from(AuditSource.PAGE):
        upload = upload_intake.receive_file(project, writer_in(project, user), file, name=name)
    if is_checked:
        upload_intake.check_upload(upload)
    return upload


TABLE = "id,name,text\nt-1,Ana,The link is broken\nt-2,Bob,Wrong address\n"


def make_table(
    project: Project | None = None,
    user: User | None = None,
    *,
    content: str | bytes = TABLE,
    name: str = "tickets.csv",
    prompt_settings: PromptSettings | None = None,
) -> SourceTable:
    """Upload and read a table, by default of two valid rows."""
    data = content.encode() if isinstance(content, str) else content
    project = project or make_project()
    user = writer_in(project, user)
    table = table_import.receive_table(project, user, ContentFile(data, name), name=name)
    table_import.read_table(table)
    if prompt_settings:
        requests_from_table.save_settings(table, user, prompt_settings, None)
    return table


def make_batch(
    project: Project | None = None,
    user: User | None = None,
    *,
    upload: Upload | None = None,
    key: ProviderKey | None = None,
    window: str = "24h",
    name: str = "",
    **fields: Any,
) -> Batch:
    """Order a batch with one provider batch to prepare, then overwrite ``fields``."""
    project = project or (upload.project if upload else make_project())
    upload = upload or make_upload(project, user)
    batch = place_order.place_order(
        project,
        writer_in(project, user or upload.uploaded_by),
        upload,
        key or make_key(project),
        window=window,
        name=name,
        submission=uuid.uuid4(),
    )
    if fields:
        Batch.objects.filter(pk=batch.pk).update(**fields)
        batch.refresh_from_db()
    return batch


def make_budget(
    project: Project, usd: str | Decimal, subject: User | PortalKey | str = "", **fields: Any
) -> Budget:
    """A monthly budget of ``project``, or of a person, a portal key or a model in it."""
    if isinstance(subject, User):
        fields |= {"kind": Budget.Kind.PERSON, "person": subject}
    elif isinstance(subject, PortalKey):
        fields |= {"kind": Budget.Kind.PORTAL_KEY, "portal_key": subject}
    elif subject:
        fields |= {"kind": Budget.Kind.MODEL, "model": subject}
    return Budget.objects.create(
        project=project, amount_usd=Decimal(usd), name=str(subject), **fields
    )


def make_approval(batch: Batch, **fields: Any) -> ApprovalRequest:
    """Store that ``batch`` was approved, or what ``fields`` say, without a decision of anybody."""
    usual = {
        "state": ApprovalRequest.State.APPROVED,
        "reasons": [],
        "file_sha256": batch.upload.sha256,
        "expires_at": timezone.now() + timedelta(days=7),
    }
    return ApprovalRequest.objects.create(batch=batch, **usual | fields)


def ask_approval(
    project: Project | None = None, user: User | None = None, **fields: Any
) -> ApprovalRequest:
    """Order a batch that waits for approval, in a project that has no policy otherwise."""
    project = project or make_project()
    rows = Project.objects.filter(pk=project.pk)
    usual = project.approval_above_usd
    rows.update(approval_above_usd=0)
    batch = make_batch(project, user, **fields)
    rows.update(approval_above_usd=usual)
    return ApprovalRequest.objects.get(batch=batch)


def make_import(project: Project, user: User | None = None, **fields: Any) -> BatchImport:
    """Request an import, then overwrite ``fields``."""
    user = writer_in(project, user)
    key = fields.pop("key", None) or make_key(user, project.connection)
    (batch_import,) = start_import.request_imports(
        project, user, key, [str(uuid.uuid4())]
    ).batch_imports
    if fields:
        BatchImport.objects.filter(pk=batch_import.pk).update(**fields)
        batch_import.refresh_from_db()
    return batch_import


def order_at_sandbox(url: str, requests: int, *faults: str, **fields: Any) -> ProviderBatch:
    """Order ``requests`` at the sandbox at ``url``, on a key whose calls meet ``faults``."""
    connection = make_connection(base_url=url, poll_seconds=1, create_grace_seconds=0)
    project = make_project(connection=connection)
    upload = make_upload(project, content=request_file(requests, model=SANDBOX_MODEL))
    key = make_key(project, secret="~".join(["sk-faults-000001", *faults]))
    return make_batch(project, upload=upload, key=key, **fields).provider_batches.get()


def set_state(batch: Batch, **fields: Any) -> ProviderBatch:
    """Overwrite ``fields`` of the only provider batch, even against its transitions."""
    ProviderBatch.objects.filter(batch=batch).update(**fields)
    return ProviderBatch.objects.select_related("batch__connection").get(batch=batch)


def answer_line(
    number: int, *, text: str = "", tokens: tuple[int, int] = (100, 50), **usage: Any
) -> bytes:
    """Return the output line of a provider for request ``row-<number>``.

    ``usage`` has further fields of its usage, or other values of the usual ones.
    """
    body = {
        "model": MODEL,
        "choices": [
            {"message": {"content": text or f"Answer {number}."}, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": tokens[0], "completion_tokens": tokens[1]} | usage,
    }
    line = {
        "id": f"line-{number}",
        "custom_id": f"row-{number}",
        "response": {"status_code": 200, "body": body},
        "error": None,
    }
    return json.dumps(line).encode()


def error_line(number: int, message: str = "The model broke down.", *, code: str = "500") -> bytes:
    line = {
        "id": f"line-{number}",
        "custom_id": f"row-{number}",
        "response": None,
        "error": {"code": code, "message": message},
    }
    return json.dumps(line).encode()


@dataclass
class ResultFiles:
    """A provider that only serves result files; ``files`` maps file ids to lines."""

    files: dict[str, list[bytes]] = field(default_factory=dict)

    @contextmanager
    def open_content(
        self, file_id: str, *, skip: int = 0, on_progress: object = None
    ) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(lines=lambda **_: iter(self.files[file_id][skip:]))


def answer(batch: Batch, output: Iterable[bytes], errors: Iterable[bytes] = ()) -> ProviderBatch:
    """Harvest these lines for ``batch``, as if the provider had finished."""
    provider_batch = ProviderBatch.objects.select_related(
        "batch__upload", "batch__connection"
    ).get(batch=batch)
    if provider_batch.status == ProviderBatch.Status.PREPARING:
        prepare.prepare(provider_batch)
    provider = ResultFiles({"out": list(output), "err": list(errors)})
    provider_batch = set_state(
        batch,
        status=ProviderBatch.Status.HARVESTING,
        remote_id=str(uuid.uuid4()),
        remote_status="completed",
        output_file_id="out",
        error_file_id="err",
        completed=len(provider.files["out"]),
        failed=len(provider.files["err"]),
        submitted_at=timezone.now(),
        ended_at=timezone.now(),
        rereads=fetch_results.MAX_REREADS,
    )
    fetch_results.harvest(provider_batch, cast(Provider, provider))
    return provider_batch


def finish(
    batch: Batch, output: Iterable[bytes] | None = None, errors: Iterable[bytes] = ()
) -> Batch:
    """Answer ``batch`` and settle it; every request is answered unless ``output`` is given."""
    lines = [answer_line(n) for n in range(1, batch.requests + 1)] if output is None else output
    answer(batch, lines, errors)
    ProviderBatch.objects.start_settling(pk=batch.pk)
    batch.refresh_from_db()
    steps.settle_batch(batch)
    batch.refresh_from_db()
    return batch


def build_columns(batch: Batch) -> ResultColumns:
    """Build the columns file of ``batch`` as a worker does, if it is not up to date."""
    freshness.require_columns(batch)
    columns = ResultColumns.objects.claim(batch.pk, ResultColumns.Status.BUILDING)
    if columns:
        build.build_columns(columns)
    return ResultColumns.objects.select_related("batch__project").get(batch=batch)


def replace_columns(columns: ResultColumns, content: bytes) -> None:
    """Let ``columns`` name a file with another content, as if theirs were damaged."""
    columns.blob.save("columns.duckdb", ContentFile(content), save=False)
    ResultColumns.objects.filter(pk=columns.pk).update(blob=columns.blob.name)


def ended_batch(project: Project, requests: int, minutes: int) -> ProviderBatch:
    """Make a batch that the provider has run in so many minutes."""
    batch = make_batch(project=project, upload=make_upload(project))
    Batch.objects.filter(pk=batch.pk).update(requests=requests)
    now = timezone.now()
    row, _ = ProviderBatch.objects.update_or_create(batch=batch, number=1)
    ProviderBatch.objects.filter(pk=row.pk).update(
        submitted_at=now - timedelta(minutes=minutes), ended_at=now
    )
    return row

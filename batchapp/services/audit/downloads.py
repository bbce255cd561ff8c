"""Record that data is taken out of the portal: by a page, by a script, or by a command."""

from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.utils import timezone

from batchapp.domain.audit.redaction import safe_facts
from batchapp.models import AuditEvent, AuditKind, Batch, Project, User
from batchapp.models.people.user import portal_key_of

TOLD_EVERY = timedelta(hours=1)  # of what a script reads again and again


def record_download(
    actor: User | None,
    what: str,
    project: Project | None = None,
    *,
    batch: Batch | None = None,
    name: str = "",
    parameters: str = "",
) -> None:
    """Record a download before its first byte is sent; ``what`` is a key of ``DOWNLOADS``.

    ``actor`` is None if nobody signed in, as for a command. ``parameters`` say which part of the
    data was chosen.
    """
    facts = {"batch": str(batch.pk)} if batch else {}
    AuditEvent.objects.record(
        AuditKind.DOWNLOADED,
        actor,
        project or (batch.project if batch else None),
        what=what,
        name=name or (batch.name if batch else ""),
        parameters=parameters,
        **facts,
    )


def record_part(actor: User, what: str, batch: Batch, parameters: str) -> None:
    """Record that a script reads a part of ``batch``, for each script and batch once an hour.

    A script reads a large batch in many parts, and one that runs again and again.
    """
    told = _told(actor, what).filter(data__batch=str(batch.pk))
    if not told.exists():
        record_download(actor, what, batch=batch, parameters=parameters)


def record_report(
    actor: User, what: str, project: Project, *, name: str = "", parameters: Mapping[str, str]
) -> None:
    """Record that a script reads a report of ``project``, for each key and report once an hour.

    A script that shows a report asks for it every minute. ``parameters`` are those that make
    another report; others, such as a page, are left out.
    """
    chosen = urlencode(sorted(parameters.items()))
    facts = safe_facts({"name": name, "parameters": chosen})  # as the events have them
    told = _told(actor, what).filter(project=project.pk)
    if not told.filter(data__name=facts["name"], data__parameters=facts["parameters"]).exists():
        record_download(actor, what, project, name=name, parameters=chosen)


def _told(actor: User, what: str) -> QuerySet[AuditEvent]:
    """Return the downloads of ``what`` by ``actor``, and by the same key, of the last hour."""
    since = timezone.now() - TOLD_EVERY
    told = AuditEvent.objects.filter(actor=actor, kind=AuditKind.DOWNLOADED, at__gt=since)
    key = portal_key_of(actor)
    return told.filter(key_name=key.name if key else "", data__what=what)

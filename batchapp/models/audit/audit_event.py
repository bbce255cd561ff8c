"""Records of what people did to the portal, its projects, people and keys, and what they took."""

from typing import Any, NoReturn, Self

from django.db import models

from batchapp.domain.audit.redaction import safe_facts, texts_in
from batchapp.domain.audit.seals import Entry, entry_of
from batchapp.domain.results.outcome import storable_text
from batchapp.models.audit.audit_kind import AREA_OF, AuditKind
from batchapp.models.audit.audit_seal import AuditSeal
from batchapp.models.audit.origin import AuditSource, current_origin
from batchapp.models.people.project import Project
from batchapp.models.people.user import AnyUser, User, portal_key_of

MAX_NAMES_LENGTH = 1_000  # characters that a search looks through


class NeverChanged(Exception):
    """Some code tried to change or delete an event of the audit; nothing was written."""


class AuditEventQuerySet(models.QuerySet["AuditEvent"]):
    """Events are read and added, and never changed.

    Sealing, and the rule on how long events are kept, have methods of their own.
    """

    def update(self, **_fields: Any) -> NoReturn:
        raise NeverChanged

    def delete(self) -> NoReturn:
        raise NeverChanged

    def bulk_update(self, *_rows: Any, **_options: Any) -> NoReturn:
        raise NeverChanged

    def bulk_create(self, objs: Any, *args: Any, **options: Any) -> "list[AuditEvent]":
        if options.get("update_conflicts"):
            raise NeverChanged
        return super().bulk_create(objs, *args, **options)

    def unsealed(self) -> Self:
        return self.filter(seal=None)

    def put_under(self, seal: AuditSeal, pks: list[int]) -> int:
        """Put unsealed events under ``seal``, the only change of an event; return how many."""
        return models.QuerySet.update(self.unsealed().filter(pk__in=pks), seal=seal)

    def delete_under(self, seals: "list[AuditSeal]") -> int:
        """Delete all events under ``seals`` for good, and return how many."""
        rows = self.filter(seal__in=seals)
        return rows._raw_delete(rows.db)

    def record(
        self, kind: AuditKind, actor: AnyUser | None, project: Project | None = None, **data: Any
    ) -> "AuditEvent":
        """Store that ``actor`` did something; None stands for nobody who is known.

        Call this in the transaction of the change, so that both are stored or neither. ``data``
        holds numbers, ids and names as they were then, and never a secret; where something
        changes, ``before`` and ``after``. Where the work comes from is known: see ``coming_from``.
        """
        event = self.prepare(kind, actor, project, **data)
        event.save(force_insert=True)
        return event

    def prepare(
        self, kind: AuditKind, actor: AnyUser | None, project: Project | None = None, **data: Any
    ) -> "AuditEvent":
        """Return the event that ``record`` stores; ``bulk_create`` stores several at once."""
        origin = current_origin()
        person = actor if isinstance(actor, User) and actor.pk else None
        key = portal_key_of(person) if person else None
        event = AuditEvent(
            kind=kind,
            area=AREA_OF[kind],
            actor=person,
            actor_name=storable_text(str(person or ""))[:254],
            actor_email=person.email if person else "",
            project=project,
            project_name=project.name if project else "",
            key_name=key.name if key else "",
            source=AuditSource.KEY if key else origin.source,
            address=str(data.pop("address", "") or origin.address)[:45],
            data=safe_facts(data),
        )
        event.names = names_in(event)
        return event


class AuditEvent(models.Model):
    """One line of the audit, which nobody changes or deletes.

    ``actor`` and ``project`` may name rows that are there no more: no constraint binds them, so
    that deleting a person changes no event. The names beside them are those of that time.
    """

    at = models.DateTimeField(auto_now_add=True)
    kind = models.CharField(max_length=40)
    area = models.CharField(max_length=12, default="", help_text="Of the kind, for the filter.")
    actor = models.ForeignKey(
        User, models.DO_NOTHING, null=True, related_name="+", db_constraint=False, db_index=False
    )
    actor_name = models.CharField(max_length=254, blank=True)
    actor_email = models.CharField(max_length=254, blank=True)
    project = models.ForeignKey(
        Project,
        models.DO_NOTHING,
        null=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    project_name = models.CharField(max_length=100, blank=True)
    key_name = models.CharField(max_length=100, blank=True, help_text="The portal key that acted.")
    source = models.CharField(max_length=10, blank=True, help_text="See ``AuditSource``.")
    address = models.CharField(max_length=45, blank=True, help_text="The network address.")
    data = models.JSONField(default=dict)
    names = models.TextField(blank=True, help_text="What a search looks through, in lower case.")
    seal = models.ForeignKey(AuditSeal, models.PROTECT, null=True, related_name="events")

    objects = AuditEventQuerySet.as_manager()

    SEALED_FIELDS = (
        *("id", "at", "kind", "area", "actor_id", "actor_name", "actor_email"),
        *("project_id", "project_name", "key_name", "source", "address", "data", "names"),
    )

    class Meta:
        ordering = ["-at", "-pk"]
        indexes = [
            models.Index(fields=["-at", "-id"], name="audit_by_time"),
            models.Index(fields=["actor", "-at", "-id"], name="audit_by_actor"),
            models.Index(fields=["project", "-at", "-id"], name="audit_by_project"),
            models.Index(fields=["area", "-at", "-id"], name="audit_by_area"),
            models.Index(fields=["id"], condition=models.Q(seal=None), name="audit_unsealed"),
        ]

    def __str__(self) -> str:
        return f"{self.actor_name or 'Command'}: {self.kind}"

    def save(self, **options: Any) -> None:
        """Store a new event.

        Raises:
            NeverChanged: the event is stored already; nothing was written.
        """
        if not self._state.adding:
            raise NeverChanged
        super().save(**options)

    def delete(self, *_args: Any, **_options: Any) -> NoReturn:
        raise NeverChanged

    def entry(self) -> Entry:
        """Return what a seal keeps of this event, of all its fields but ``seal``."""
        facts = {name: getattr(self, name) for name in self.SEALED_FIELDS}
        return entry_of(self.pk, facts)


def names_in(event: AuditEvent) -> str:
    """Return the names in ``event`` in lower case, each once."""
    texts = [event.actor_name, event.actor_email, event.project_name, event.key_name]
    found = dict.fromkeys(text.casefold() for text in [*texts, *texts_in(event.data)] if text)
    return "\n".join(found)[:MAX_NAMES_LENGTH]

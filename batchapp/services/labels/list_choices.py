"""The people, the tags and the portal keys that a list of batches can be filtered by."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import Case, CharField, Exists, F, OuterRef, Value, When
from django.db.models.functions import Cast, Coalesce, Concat, NullIf, Trim

from batchapp.models import Batch, PortalKey, Project, Tag, User

PERSON, TAG, PORTAL_KEY = "person", "tag", "portal_key"


@dataclass(frozen=True, slots=True)
class ListChoices:
    """People and portal keys are ids with names. Each list is sorted."""

    people: list[tuple[str, str]] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    portal_keys: list[tuple[str, str]] = field(default_factory=list)


def list_choices(projects: Sequence[Project]) -> ListChoices:
    """Return who ordered batches of ``projects``, their tags, and the keys that may order there.

    Revoked keys are among them. One query reads all.
    """
    if not projects:
        return ListChoices()
    ordered = Batch.objects.filter(project__in=projects, created_by=OuterRef("pk"))
    people = User.objects.filter(Exists(ordered)).values_list(
        Value(PERSON, output_field=CharField()), Cast("pk", CharField()), _name_of("")
    )
    tags = Tag.objects.filter(project__in=projects).in_use().order_by()
    names = tags.values_list(
        Value(TAG, output_field=CharField()), Cast("name", CharField()), F("name")
    )
    holder = Case(
        When(user__is_service_account=True, then=Value("service key")), default=_name_of("user__")
    )
    keys = PortalKey.objects.filter(project__in=projects).exclude(scope=PortalKey.Scope.READ)
    named_keys = keys.order_by().values_list(
        Value(PORTAL_KEY, output_field=CharField()),
        Cast("pk", CharField()),
        Concat("name", Value(" ("), holder, Value(")"), output_field=CharField()),
    )
    rows = people.order_by().union(names, named_keys)
    choices = ListChoices()
    for kind, key, name in sorted(rows, key=lambda row: row[2].casefold()):
        if kind == PERSON:
            choices.people.append((key, name))
        elif kind == TAG:
            choices.tags.append(name)
        else:  # databases write ids with and without hyphens
            choices.portal_keys.append((str(UUID(key)), name))
    return choices


def _name_of(prefix: str) -> Coalesce:
    """Return the full name of the person at ``prefix``, or the e-mail address without one."""
    full_name = Trim(Concat(f"{prefix}first_name", Value(" "), f"{prefix}last_name"))
    return Coalesce(NullIf(full_name, Value("")), f"{prefix}email", output_field=CharField())

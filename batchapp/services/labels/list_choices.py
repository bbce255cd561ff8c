"""The people and the tags that a list of batches can be filtered by."""

from collections.abc import Sequence

from django.db.models import CharField, Exists, F, OuterRef, Value
from django.db.models.functions import Cast, Coalesce, Concat, NullIf, Trim

from batchapp.models import Batch, Project, Tag, User

PERSON, TAG = "person", "tag"


def people_and_tags(projects: Sequence[Project]) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the people who ordered batches of ``projects``, and the tags of these batches.

    A person is an id and a name. Both lists are sorted, and one query reads them.
    """
    if not projects:
        return [], []
    ordered = Batch.objects.filter(project__in=projects, created_by=OuterRef("pk"))
    full_name = Trim(Concat("first_name", Value(" "), "last_name"))
    people = User.objects.filter(Exists(ordered)).values_list(
        Value(PERSON, output_field=CharField()),
        Cast("pk", CharField()),
        Coalesce(NullIf(full_name, Value("")), "email", output_field=CharField()),
    )
    tags = Tag.objects.filter(project__in=projects).in_use().order_by()
    names = tags.values_list(
        Value(TAG, output_field=CharField()), Cast("name", CharField()), F("name")
    )
    rows = sorted(people.order_by().union(names), key=lambda row: row[2].casefold())
    return (
        [(key, name) for kind, key, name in rows if kind == PERSON],
        [name for kind, _, name in rows if kind == TAG],
    )

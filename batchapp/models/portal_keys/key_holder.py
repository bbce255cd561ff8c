"""Ask in a prepared query which rows are visible to a person, or to whoever has a portal key."""

from dataclasses import dataclass
from typing import Any, cast

from batchapp.models.people.project import Project
from batchapp.models.people.user import AnyUser, User
from batchapp.models.portal_keys.portal_key import PortalKey
from batchapp.models.prepared_query import Parameter


@dataclass(frozen=True, slots=True)
class _Key:
    project_id: Parameter
    role: str


@dataclass(frozen=True, slots=True)
class _Holder:
    """A person, with what ``visible_to`` reads and nothing else.

    A condition that comes to depend on more of the person fails here, and does not hold for all.
    """

    pk: Parameter
    portal_key: _Key | None


def holder_of(scope: str | None) -> User:
    """Return who stands, in ``visible_to``, for anybody with a portal key of ``scope``.

    Without ``scope`` it is anybody who acts in person.
    """
    key = (
        _Key(Parameter("project", Project._meta.pk), PortalKey(scope=scope).role)
        if scope
        else None
    )
    return cast("User", _Holder(Parameter("person", User._meta.pk), key))


def holder_values(user: AnyUser, key: PortalKey | None) -> dict[str, Any]:
    """Return the parameters of a query with ``holder_of``, for ``user`` by ``key``."""
    return {"person": user.pk} | ({"project": key.project_id} if key else {})

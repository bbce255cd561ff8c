"""A prepared query finds what `visible_to` finds, for a portal key and for a person."""

import pytest
from django.utils import timezone

from batchapp.models import Batch, Membership, PortalKey, Project, User
from batchapp.models.portal_keys.key_holder import holder_of, holder_values
from batchapp.models.prepared_query import PreparedQuery
from tests.make import VIEWER, join, make_batch, make_project, make_user

pytestmark = pytest.mark.django_db

SCOPES = [*PortalKey.Scope, None]  # None for a person without a key


def both(user: User, project: Project, scope: str | None) -> tuple[list[Batch], list[Batch]]:
    """What the prepared query finds, and what `visible_to` finds."""
    key = PortalKey(user=user, project=project, scope=scope) if scope else None
    person = User.objects.get(pk=user.pk)
    person.portal_key = key
    query = PreparedQuery(lambda: Batch.objects.visible_to(holder_of(scope)))
    return query.all(**holder_values(person, key)), list(Batch.objects.visible_to(person))


@pytest.mark.parametrize("scope", SCOPES)
def test_members_see_the_project_of_their_key_and_without_a_key_all_of_theirs(
    scope: str | None,
) -> None:
    member, viewer, outsider = make_user(), make_user(), make_user()
    project, other = make_project(member), make_project(member)
    join(viewer, project, VIEWER)
    batch, elsewhere = make_batch(project), make_batch(other)
    seen = [batch] if scope else [elsewhere, batch]

    assert [sorted(each, key=seen.index) for each in both(member, project, scope)] == [seen, seen]
    assert both(viewer, project, scope) == ([batch], [batch])
    assert both(outsider, project, scope) == ([], [])


@pytest.mark.parametrize("scope", SCOPES)
def test_nobody_sees_by_a_key_what_the_person_lost(scope: str | None) -> None:
    inactive, former, of_deleted = make_user(), make_user(), make_user()
    project, deleted = make_project(inactive), make_project(of_deleted)
    join(former, project, VIEWER)
    for each in (project, deleted):
        make_batch(each)
    assert all(both(former, project, scope))

    User.objects.filter(pk=inactive.pk).update(is_active=False)
    Membership.objects.filter(user=former).delete()
    Project.objects.filter(pk=deleted.pk).update(deleted_at=timezone.now())

    assert both(inactive, project, scope) == ([], [])
    assert both(former, project, scope) == ([], [])
    assert both(of_deleted, deleted, scope) == ([], [])


def test_a_condition_that_depends_on_more_of_the_person_fails() -> None:
    with pytest.raises(AttributeError):
        _ = holder_of(PortalKey.Scope.READ).is_superuser

"""The rule of a project, and who may approve what a person orders under it."""

import pytest

from batchapp.access import NotAllowed
from batchapp.models import AuditEvent, Project, User
from batchapp.services.approvals import policy
from batchapp.services.approvals.policy import PolicySettings
from tests.make import OWNER, join, make_portal_key, make_user
from tests.test_rights import acting_by

pytestmark = pytest.mark.django_db

SETTINGS = PolicySettings(None, by_most=False, if_unbounded=True, of_own=False, days=3)


@pytest.fixture
def owner(project: Project) -> User:
    return join(make_user("owner@example.com"), project, OWNER)


def test_the_policy_is_in_the_audit_with_what_it_was(project: Project, owner: User) -> None:
    assert policy.set_policy(project, owner, SETTINGS, "192.0.2.7")
    assert not policy.set_policy(project, owner, SETTINGS)

    event = AuditEvent.objects.get(kind="approval_policy_changed")
    assert event.address == "192.0.2.7"
    assert event.data["before"]["days"] == 7
    assert event.data["after"] == {
        "above_usd": None,
        "by_most": False,
        "if_unbounded": True,
        "of_own": False,
        "days": 3,
    }


def test_a_portal_key_changes_no_policy(project: Project, owner: User) -> None:
    person = acting_by(make_portal_key(owner, project, scope="manage"))

    with pytest.raises(NotAllowed):
        policy.set_policy(project, person, SETTINGS)


def test_active_owners_who_did_not_order_may_approve(
    project: Project, user: User, owner: User
) -> None:
    gone = join(make_user(is_active=False), project, OWNER)

    assert policy.approvers_of(project, user) == [owner]
    assert policy.approvers_of(project, owner) == []
    project.approval_of_own = True
    assert policy.approvers_of(project, owner) == [owner]
    assert gone not in policy.approvers_of(project, user)

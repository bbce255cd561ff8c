"""Roles keep their rights under their new names, and staff go on reading the reports."""

from batchapp.models import User
from tests.make import OWNER, VIEWER, join, make_administrator, make_project, make_user
from tests.migrations.conftest import Migrate

BEFORE = "0023_cut_short"


def test_roles_are_renamed_and_renamed_back(migrate: Migrate) -> None:
    editor, owner, viewer = make_user(), make_user(), make_user()
    project = make_project(editor)
    join(owner, project, OWNER)
    join(viewer, project, VIEWER)

    old = migrate(BEFORE).get_model("batchapp", "Membership")
    assert roles(old) == {editor.pk: "member", owner.pk: "admin", viewer.pk: "viewer"}

    new = migrate("newest").get_model("batchapp", "Membership")
    assert roles(new) == {editor.pk: "editor", owner.pk: "owner", viewer.pk: "viewer"}


def test_staff_who_are_no_superusers_become_auditors(migrate: Migrate) -> None:
    administrator, person, staff = make_administrator(), make_user(), make_user()
    old = migrate(BEFORE).get_model("batchapp", "User")
    old.objects.filter(pk=staff.pk).update(is_staff=True)

    migrate("newest")

    rights = User.objects.values_list("pk", "is_superuser", "is_staff", "is_auditor")
    assert set(rights) == {
        (administrator.pk, True, True, False),
        (person.pk, False, False, False),
        (staff.pk, False, False, True),
    }


def roles(memberships: type) -> dict[int, str]:
    return dict(memberships.objects.values_list("user", "role"))

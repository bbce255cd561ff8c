"""Roles keep their rights under their new names, and staff go on reading the reports."""

from tests.migrations.conftest import Migrate
from tests.migrations.rows import Rows

BEFORE, AFTER = "0023_cut_short", "0024_roles"


def test_roles_are_renamed_and_renamed_back(migrate: Migrate) -> None:
    old = Rows(migrate(BEFORE))
    before = {old.make_user().pk: role for role in ("member", "admin", "viewer")}
    for user, role in before.items():
        old.create("Membership", user_id=user, project=old.project, role=role)

    new = Rows(migrate(AFTER))
    assert list(roles(new).values()) == ["editor", "owner", "viewer"]
    assert roles(new).keys() == before.keys()

    assert roles(Rows(migrate(BEFORE))) == before


def test_staff_who_are_no_superusers_become_auditors_and_staff_again(migrate: Migrate) -> None:
    old = Rows(migrate(BEFORE))
    administrator = old.make_user(is_superuser=True, is_staff=True)
    person, staff = old.make_user(), old.make_user(is_staff=True)

    new = Rows(migrate(AFTER))

    rights = ("pk", "is_superuser", "is_staff", "is_auditor")
    assert set(new.model("User").objects.values_list(*rights)) == {
        (administrator.pk, True, True, False),
        (person.pk, False, False, False),
        (staff.pk, False, False, True),
    }

    old = Rows(migrate(BEFORE))

    assert set(old.model("User").objects.values_list(*rights[:3])) == {
        (administrator.pk, True, True),
        (person.pk, False, False),
        (staff.pk, False, True),
    }


def roles(rows: Rows) -> dict[int, str]:
    memberships = rows.model("Membership").objects.order_by("user")
    return dict(memberships.values_list("user", "role"))

"""The table of roles says what ``access`` decides, of every right."""

import pytest

from batchapp.access import Right
from batchapp.presenters.role_table import ROLES, lost_rights, project_rights, role_rights


def test_every_right_is_in_the_table_and_somebody_has_it() -> None:
    assert {row.right for row in role_rights()} == set(Right)
    assert all(row.roles for row in role_rights())


def test_a_higher_role_may_do_all_that_a_lower_one_may() -> None:
    for row in project_rights():
        assert list(row.in_project) == ["Viewer", "Editor", "Owner"]
        assert list(row.in_project.values()) == sorted(row.in_project.values())


def test_an_outsider_may_only_create_projects_and_not_where_administrators_do(
    settings: pytest.FixtureRequest,
) -> None:
    assert of("outsider") == {Right.CREATE}

    settings.PROJECT_FOUNDERS = "administrators"

    assert of("outsider") == set()
    assert Right.CREATE in of("administrator")


def test_an_auditor_and_an_administrator_do_not_see_a_project() -> None:
    assert Right.SEE not in of("auditor") | of("administrator")


def test_an_owner_who_becomes_an_editor_or_a_viewer_loses_what_these_may_not() -> None:
    of_owners = {Right.MANAGE, Right.APPROVE, Right.IN_PERSON}
    manage = [row.text for row in role_rights() if row.right in of_owners]

    assert lost_rights("owner", "editor") == manage
    assert lost_rights("owner", "viewer")[-len(manage) :] == manage
    assert len(lost_rights("owner", "viewer")) == 3 + len(manage)
    assert lost_rights("viewer", "owner") == []


def of(role: str) -> set[Right]:
    assert role in ROLES
    return {row.right for row in role_rights() if role in row.roles}

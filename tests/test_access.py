"""Nobody sees or changes what is another team's: for every address, also those to come."""

import uuid
from copy import deepcopy
from typing import Any, cast

import pytest
from django.test import Client, RequestFactory
from django.urls import URLPattern, reverse
from pytest_django import DjangoAssertNumQueries

from batchapp import icons
from batchapp.domain.tables.row_requests import PromptSettings
from batchapp.http import Request
from batchapp.models import (
    AuditEvent,
    AuditKind,
    Batch,
    Connection,
    Membership,
    PortalKey,
    PortalKeySecret,
    PromptTemplate,
    ProviderKey,
    SavedView,
    SourceTable,
    StatementRecipient,
    Upload,
    WebhookEndpoint,
    WebhookMessage,
)
from batchapp.presenters.page_help import HELP
from batchapp.services.health import portal_health
from batchapp.services.tables import requests_from_table
from batchapp.urls import urlpatterns
from batchapp.views import permissions
from tests.answered import make_export
from tests.make import (
    EDITOR,
    OWNER,
    VIEWER,
    finish,
    join,
    make_administrator,
    make_approval,
    make_auditor,
    make_batch,
    make_budget,
    make_import,
    make_invitation,
    make_key,
    make_portal_key,
    make_project,
    make_table,
    make_upload,
    make_user,
)
from tests.webhook_rows import make_endpoint, notify

pytestmark = pytest.mark.django_db

# A page that needs no sign-in -> what a stranger gets for GET and for POST without a body.
OPEN_TO_ALL = {
    "login": (200, 200),
    "first_run": (404, 404),  # somebody has an account
    "account_inactive": (200, 405),
    "mfa_authenticate": (302, 302),
    "mfa_login_webauthn": (302, 302),
    "openid_connect_login": (404, 404),  # no provider is set
    "openid_connect_callback": (404, 404),
    "socialaccount_login_cancelled": (200, 405),
    "account_signup": (200, 200),
    "account_email_verification_sent": (200, 405),
    "account_confirm_email": (200, 404),
    "account_reset_password": (200, 200),
    "account_reset_password_done": (200, 405),
    "account_reset_password_from_key": (200, 200),
    "account_reset_password_from_key_done": (200, 405),
    "healthz": (200, 405),
    "readyz": (200, 405),
    "logout": (405, 302),
    "icons": (200, 405),
    "skill_show": (200, 405),
    "webhook_receive": (405, 404),
    "invitation_accept": (404, 404),  # unknown
    "guide_list": (200, 405),
    "guide_terms": (200, 405),
    "guide_article": (200, 405),
    "guide_help": (200, 405),
    "notice_email_off": (404, 404),  # not signed by us
    "statement_mail_confirm": (404, 404),  # not signed by us
    "statement_mail_stop": (404, 404),  # not signed by us
}
OF_THE_PORTAL = [each for each in urlpatterns if str(each.pattern).startswith("administration/")]
# Their tests are in tests/views/people/test_second_factor_adapter.py.
OF_ONESELF = [
    each for each in urlpatterns if str(each.pattern).startswith("profile/second-factor/")
]
# Their tests are in tests/views/statements/test_statement_pages.py.
OF_MONTHS = [each for each in urlpatterns if str(each.pattern).startswith("statements/")]
OF_OBJECTS = [
    each
    for each in urlpatterns
    if each.pattern.converters
    and each.name not in OPEN_TO_ALL
    and each not in OF_THE_PORTAL + OF_ONESELF + OF_MONTHS
]
OF_PROJECTS = [each for each in OF_OBJECTS if each.name != "invitation_answer"]
BY_ID = [each for each in OF_OBJECTS if "pk" in each.pattern.converters]
WRITERS = {
    "answer_table_add",
    "audit_event_detail",
    "import_list",
    "import_progress",
    "batch_cancel",
    "batch_pause",
    "batch_resume",
    "batch_retry_in_place",
    "batch_try_again",
    "batch_retry",
    "batch_hold",
    "batch_label",
    "saved_view_edit",
    "saved_view_delete",
    "batch_purge",
    "project_archive",
    "project_audit_csv",
    "project_audit_log",
    "project_delete",
    "project_retention",
    "project_approvals",
    "project_cost_centre",
    "statement_recipient_list",
    "budget_add",
    "budget_change",
    "budget_remove",
    "project_transfer",
    "own_role_change",
    "order_choose_file",
    "order_check",
    "order_choose_window",
    "order_review",
    "order_readiness",
    "table_add",
    "table_detail",
    "table_delete",
    "prompt_template_delete",
    "file_delete",
    "file_correct",
    "key_replace",
    "key_remove",
    "key_set_webhook",
    "portal_key_rotate",
    "member_remove",
    "invitation_list",
    "webhook_list",
    "webhook_add",
    "webhook_detail",
    "webhook_edit",
    "webhook_rotate",
    "webhook_delete",
    "webhook_replay",
    "webhook_message_detail",
}

# Viewers write exports, which hold what they see, and make keys that may do what they may.
FOR_VIEWERS = {"export_list", "export_again", "portal_key_add"}


def named(pattern: URLPattern) -> str:
    return str(pattern.name)


@pytest.fixture(scope="module")
def rows_of_module(module_rows: None) -> dict[str, Any]:
    """One of each noun, all of one project; a route begins with the noun it is about."""
    project = make_project(make_user(), name="Their secret project")
    upload = make_upload(project)
    batch = finish(make_batch(project, upload=upload))
    (message,) = notify(make_endpoint(project))
    make_approval(batch)
    return {
        "projects": project,
        "files": upload,
        "batches": batch,
        "exports": make_export(batch),
        "keys": make_key(project),
        "portal-keys": make_portal_key(join(make_user(), project, OWNER), project).key,
        "tables": make_table(project),
        "imports": make_import(project),
        "invitations": make_invitation(project, invitee=make_user()),
        "saved-views": SavedView.objects.create(
            owner=project.members.first(),
            project=project,
            name="Late",
            filter_values={"status": "late"},
            is_shared=True,
        ),
        "budget": make_budget(project, 100),
        "recipient": StatementRecipient.objects.create(project=project, email="books@acme.test"),
        "audit": AuditEvent.objects.record(AuditKind.PROJECT_ARCHIVED, None, project),
        "webhook-endpoints": message.endpoint,
        "webhook-messages": message,
        "prompt-templates": requests_from_table.save_template(
            project, project.members.first(), "Triage", PromptSettings(model="m", prompt="{text}")
        ).template,
    }


@pytest.fixture
def world(rows_of_module: dict[str, Any]) -> dict[str, Any]:
    """The rows of the module as objects that a test may change."""
    return deepcopy(rows_of_module)


def address(pattern: URLPattern, world: dict[str, Any], *, pk: uuid.UUID | None = None) -> str:
    noun = world[str(pattern.pattern).split("/")[0]]
    known = {"slug": getattr(noun, "slug", ""), "pk": pk or noun.pk, "line": 1, "kind": "output"}
    known["event"] = world["audit"].pk
    known["budget"] = world["budget"].pk
    known["recipient"] = world["recipient"].pk
    known["member"] = world["projects"].memberships.first().pk
    return reverse(
        named(pattern), kwargs={name: known[name] for name in pattern.pattern.converters}
    )


def portal_address(pattern: URLPattern, world: dict[str, Any]) -> str:
    """Return an address of the administration about rows that are there."""
    project = world["projects"]
    known = {"connection": project.connection_id, "project": project.pk}
    known |= {"person": project.members.first().pk, "pk": uuid.uuid4()}
    return reverse(
        named(pattern), kwargs={name: known[name] for name in pattern.pattern.converters}
    )


@pytest.mark.parametrize("pattern", OF_THE_PORTAL, ids=named)
def test_only_administrators_administer(
    client: Client, world: dict[str, Any], pattern: URLPattern
) -> None:
    url = portal_address(pattern, world)
    owner = join(make_user(), world["projects"], OWNER)
    before = [*rows(), list(Connection.objects.values())]

    for person in (make_user(), owner, make_auditor(), make_user(is_staff=True)):
        client.force_login(person)
        assert status(client.get(url)) in {403, 405}
        assert status(client.post(url, {"action": "remove", "secret": "sk-mine"})) in {403, 405}

    assert [*rows(), list(Connection.objects.values())] == before
    client.force_login(make_administrator())
    assert status(client.get(url)) in {200, 302, 404, 405}


@pytest.mark.parametrize("pattern", OF_OBJECTS, ids=named)
def test_an_outsider_learns_nothing(
    client: Client, world: dict[str, Any], pattern: URLPattern
) -> None:
    client.force_login(make_user())
    url = address(pattern, world)

    statuses = {status(client.get(url)), status(client.post(url, {"action": "remove"}))}

    assert 404 in statuses
    assert statuses <= {404, 405}


@pytest.mark.parametrize("pattern", BY_ID, ids=named)
def test_an_outsider_cannot_tell_what_is_there_from_what_is_not(
    client: Client, world: dict[str, Any], pattern: URLPattern
) -> None:
    client.force_login(make_user())

    foreign = client.post(address(pattern, world))
    missing = client.post(address(pattern, world, pk=uuid.uuid4()))

    assert foreign.status_code == missing.status_code


@pytest.mark.parametrize(
    "pattern", [each for each in OF_OBJECTS if each.name != "audit_event_detail"], ids=named
)
def test_staff_without_a_membership_are_outsiders(
    client: Client, world: dict[str, Any], pattern: URLPattern
) -> None:
    client.force_login(make_administrator())

    assert status(client.get(address(pattern, world))) in {404, 405}


@pytest.mark.parametrize("pattern", urlpatterns, ids=named)
def test_strangers_are_sent_to_sign_in(
    client: Client, world: dict[str, Any], pattern: URLPattern
) -> None:
    if pattern in OF_THE_PORTAL:
        url = portal_address(pattern, world)
    else:
        url = address(pattern, world) if pattern in OF_OBJECTS else f"/{pattern.pattern}"
    url = url.replace("<slug:version>", icons.version())
    url = url.replace("<slug:name>", "cost").replace("<slug:page>", "home")
    url = url.replace("<path:model>", "gpt")
    url = url.replace("<slug:token>", "unknown").replace("<str:token>", "unknown")
    url = url.replace("<slug:slug>", "support").replace("<month:month>", "2026-01")
    url = url.replace("<uuid:key>", str(uuid.uuid4()))  # a key that nobody has
    url = url.replace("<uuid:pk>", str(uuid.uuid4())).replace(
        "<uuid:recipient>", str(uuid.uuid4())
    )
    url = url.replace("<base36:uidb36>", "1").replace("<str:key>", "no-key")
    url = url.replace("<int:pk>", "1").replace("<slug:provider_id>", "sso")
    portal_health.record_tick()  # else the portal is well only for the first seconds of the run

    responses = [client.get(url), client.post(url)]

    if pattern.name in OPEN_TO_ALL:
        assert tuple(map(status, responses)) == OPEN_TO_ALL[pattern.name]
    else:
        assert [response.status_code for response in responses] == [302, 302]
        assert all(response["Location"].startswith("/sign-in/?next=") for response in responses)


@pytest.mark.parametrize("pattern", OF_OBJECTS, ids=named)
def test_what_answers_with_a_page_has_a_help(
    client: Client, world: dict[str, Any], pattern: URLPattern
) -> None:
    client.force_login(world["projects"].members.first())

    response = client.get(address(pattern, world))
    is_page = status(response) == 200 and not response.streaming and b"<html" in response.content

    assert is_page <= (pattern.name in HELP)


@pytest.mark.parametrize(
    "pattern", [each for each in OF_PROJECTS if each.name != "project_leave"], ids=named
)
def test_a_viewer_sees_and_does_not_write(
    client: Client, world: dict[str, Any], pattern: URLPattern
) -> None:
    client.force_login(join(make_user(), world["projects"], VIEWER))
    url = address(pattern, world)
    before = rows()

    seen = status(client.get(url))
    written = status(client.post(url, {"action": "remove", "secret": "sk-somebody-elses"}))

    assert seen == 403 if pattern.name in WRITERS else seen in {200, 405}
    assert written in ({200, 302} if pattern.name in FOR_VIEWERS else {403, 405})
    assert rows() == before


@pytest.mark.parametrize(
    "name",
    [
        "member_list",
        "member_remove",
        "invitation_list",
        "project_settings",
        "project_archive",
        "project_delete",
        "project_approvals",
        "project_retention",
        "budget_list",
        "budget_add",
        "budget_change",
        "budget_remove",
        "statement_recipient_list",
        "statement_recipient_remove",
        "project_transfer",
        "own_role_change",
        "batch_hold",
        "batch_purge",
        "key_list",
        "key_replace",
        "key_remove",
        "key_test",
        "key_set_webhook",
        "webhook_add",
        "webhook_edit",
        "webhook_rotate",
        "webhook_switch",
        "webhook_delete",
        "webhook_test",
        "webhook_replay",
        "webhook_message_replay",
    ],
)
def test_a_member_does_not_manage(client: Client, world: dict[str, Any], name: str) -> None:
    client.force_login(join(make_user(), world["projects"], EDITOR))
    (pattern,) = (each for each in OF_OBJECTS if each.name == name)
    before = rows()

    response = client.post(
        address(pattern, world), {"action": "add", "secret": "sk-somebody-elses"}
    )

    assert response.status_code == 403
    assert "Only owners of" in response.content.decode()
    assert rows() == before


def test_a_key_of_a_colleague_is_nobody_elses(client: Client, world: dict[str, Any]) -> None:
    colleague = join(make_user(), world["projects"], OWNER)
    key = make_key(colleague, world["projects"].connection)
    client.force_login(join(make_user(), world["projects"], OWNER))

    for name in ("key_replace", "key_remove", "key_test", "key_set_webhook"):
        assert client.post(reverse(name, args=[key.pk])).status_code == 404
    page = client.get(
        reverse("order_choose_window", args=[world["files"].pk]), follow=True
    ).content.decode()
    assert str(key.pk) not in page


@pytest.mark.parametrize("name", ["home", "batch_list", "project_list"])
def test_lists_hold_nothing_of_other_teams(
    client: Client, world: dict[str, Any], name: str
) -> None:
    world["batches"].name = "Their secret batch"
    world["batches"].save(update_fields=["name"])
    user = make_user()
    finish(make_batch(make_project(user), user, name="My own batch"))
    client.force_login(user)

    page = client.get(reverse(name)).content.decode()

    assert "Their secret batch" not in page
    assert str(world["projects"]) not in page


def test_all_questions_about_rights_take_one_query(
    rf: RequestFactory, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    user = make_user()
    roles = {"a": OWNER, "b": EDITOR, "c": VIEWER}
    projects = [make_project(user, role=role, name=name) for name, role in roles.items()]
    request = cast(Request, rf.get("/"))
    request.user = user

    with django_assert_num_queries(1):
        names = [str(each.project) for each in permissions.memberships_of(request)]
        found = permissions.project_of(request, projects[0].slug)
        written = [permissions.can_write(request, each) for each in [*projects, found]]
        managed = [permissions.can_manage(request, each) for each in projects]

    assert names == ["a", "b", "c"]
    assert written == [True, True, False, True]
    assert managed == [True, False, False]


def test_a_stranger_has_no_rights_and_is_not_looked_up(
    rf: RequestFactory, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    request = rf.get("/")

    with django_assert_num_queries(0):
        assert permissions.memberships_of(request) == []


def test_a_filter_by_a_foreign_project_shows_nothing(
    client: Client, world: dict[str, Any]
) -> None:
    user = make_user()
    make_batch(make_project(user), user, name="My own batch")
    client.force_login(user)

    page = client.get(reverse("batch_list"), {"project": world["projects"].slug}).content.decode()

    assert "There is no such project" in page
    assert "My own batch" not in page


def status(response: Any) -> int:
    if response.streaming:
        b"".join(response)  # a download keeps its file open until it is sent
    return int(response.status_code)


def rows() -> list[list[Any]]:
    """All that a request may have changed."""
    return [
        list(model.objects.order_by("pk").values())
        for model in (
            *(Batch, Upload, ProviderKey, Membership, SourceTable, PromptTemplate),
            *(PortalKey, PortalKeySecret, WebhookEndpoint, WebhookMessage),
        )
    ]

"""The pages on which owners make, change, switch and delete webhooks."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from batchapp.models import NoticeKind, Project, User, WebhookEndpoint
from batchapp.presenters.webhook_text import offered_kinds
from batchapp.services.webhooks import endpoints
from tests.html import Page
from tests.make import OWNER, join, make_project, make_user
from tests.webhook_rows import make_endpoint, notify

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("woken")]

Format = WebhookEndpoint.Format


@pytest.fixture
def project(user: User) -> Project:
    return make_project(user, role=OWNER, slug="support")


@pytest.fixture
def endpoint(project: Project, user: User) -> WebhookEndpoint:
    return make_endpoint(project, user, name="Nightly")


def posted(**fields: object) -> dict[str, object]:
    values: dict[str, object] = {
        "name": "Nightly",
        "format": Format.STANDARD,
        "address": "https://example.com/hook",
        "events": [NoticeKind.BATCH_FINISHED],
    }
    return values | fields


def test_a_new_webhook_shows_its_secret_once(browser: Client, project: Project) -> None:
    response = browser.post(reverse("webhook_add", args=[project.slug]), posted())

    endpoint = WebhookEndpoint.objects.get()
    (secret,) = endpoint.secrets_at(timezone.now())
    assert secret in response.content.decode()
    assert "no-store" in response["Cache-Control"]
    for name in ("webhook_detail", "webhook_edit", "webhook_rotate"):
        page = browser.get(reverse(name, args=[endpoint.pk])).content.decode()
        assert secret not in page


def test_a_chat_program_needs_no_secret_and_leads_to_the_log(
    browser: Client, project: Project
) -> None:
    address = "https://hooks.slack.com/services/T000/B000/SECRETabcd"

    response = browser.post(
        reverse("webhook_add", args=[project.slug]),
        posted(format=Format.SLACK, address=address),
        follow=True,
    )

    page = response.content.decode()
    assert "https://hooks.slack.com/…abcd" in page
    assert "SECRET" not in page


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"address": "http://example.com/"}, "address", "no address that the portal sends to"),
        (
            {"address": "https://a:b@example.com/"},
            "address",
            "no address that the portal sends to",
        ),
        ({"address": ""}, "address", "Enter the address"),
        ({"name": ""}, "name", "Name what gets the messages."),
        ({"events": []}, "events", "Tick at least one."),
        ({"events": ["invited"]}, "events", "not one of the available choices"),
        ({"format": "telegram"}, "format", "not one of the available choices"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    browser: Client, project: Project, fields: dict[str, object], field: str, says: str
) -> None:
    response = browser.post(reverse("webhook_add", args=[project.slug]), posted(**fields))

    assert says in Page(response).one(f"#id_{field}_error").text
    assert not WebhookEndpoint.objects.exists()


def test_every_kind_is_offered_but_what_is_for_one_person() -> None:
    kinds = [kind for kind, _ in offered_kinds()]

    assert set(NoticeKind) - set(kinds) == {NoticeKind.INVITED}


def test_the_list_shows_each_webhook_with_its_state(
    browser: Client, project: Project, user: User
) -> None:
    make_endpoint(project, user, name="Good", delivered_at=timezone.now())
    make_endpoint(project, user, name="Troubled", failures=3)
    make_endpoint(make_project(), name="Foreign")

    text = Page(browser.get(reverse("webhook_list", args=[project.slug]))).text

    assert "Works" in text
    assert "Failing" in text
    assert "Foreign" not in text


def test_a_change_keeps_the_address_that_is_not_entered_again(
    browser: Client, endpoint: WebhookEndpoint
) -> None:
    response = browser.post(
        reverse("webhook_edit", args=[endpoint.pk]), posted(name="Daily", address="")
    )

    changed = WebhookEndpoint.objects.get()
    assert response.status_code == 302
    assert (changed.name, changed.address) == ("Daily", endpoint.address)
    assert changed.events == ["batch_finished"]


def test_a_name_that_is_taken_is_said_at_its_field(
    browser: Client, project: Project, user: User, endpoint: WebhookEndpoint
) -> None:
    other = make_endpoint(project, user, name="Other")

    response = browser.post(reverse("webhook_edit", args=[other.pk]), posted(address=""))

    assert "already" in Page(response).one("#id_name_error").text


def test_a_rotated_secret_is_shown_once_and_the_page_says_until_when_both_sign(
    browser: Client, endpoint: WebhookEndpoint
) -> None:
    current = endpoints.state_of_secret(endpoint)

    shown = browser.post(
        reverse("webhook_rotate", args=[endpoint.pk]), {"hours": 24, "current": current}
    )
    again = browser.post(
        reverse("webhook_rotate", args=[endpoint.pk]),
        {"hours": 24, "current": current},
        follow=True,
    )

    endpoint.refresh_from_db()
    new, _old = endpoint.secrets_at(timezone.now())
    assert new in shown.content.decode()
    assert "changed a moment ago" in again.content.decode()
    assert endpoint.rotation_ends_at is not None
    assert endpoint.rotation_ends_at > timezone.now() + timedelta(hours=23)
    assert "Being rotated" in again.content.decode()


def test_a_webhook_is_switched_off_and_on_again(
    browser: Client, endpoint: WebhookEndpoint
) -> None:
    url = reverse("webhook_switch", args=[endpoint.pk])

    off = browser.post(url, {"action": "off"}, follow=True)
    is_off = not WebhookEndpoint.objects.get().is_active
    on = browser.post(url, {"action": "on"}, follow=True)

    assert is_off
    assert "Switch on" in off.content.decode()
    assert "Send a test" in on.content.decode()
    assert WebhookEndpoint.objects.get().is_active


@pytest.mark.parametrize(
    ("reason", "says"),
    [("gone", "answered 410"), ("failing", "three days"), ("person", "switched off")],
)
def test_the_page_says_why_a_webhook_is_off(
    browser: Client, endpoint: WebhookEndpoint, reason: str, says: str
) -> None:
    WebhookEndpoint.objects.update(status="disabled", disabled_reason=reason, next_check_at=None)

    page = browser.get(reverse("webhook_detail", args=[endpoint.pk]))

    assert says in Page(page).text


def test_a_webhook_is_deleted_only_after_a_confirmation(
    browser: Client, endpoint: WebhookEndpoint
) -> None:
    notify(endpoint)
    url = reverse("webhook_delete", args=[endpoint.pk])

    asked = browser.get(url)
    is_kept = WebhookEndpoint.objects.exists()
    browser.post(url)

    assert "Keep the webhook" in asked.content.decode()
    assert is_kept
    assert not WebhookEndpoint.objects.exists()


@pytest.mark.parametrize("name", ["webhook_list", "webhook_add"])
def test_an_editor_is_told_that_owners_do_this(
    client: Client, project: Project, name: str
) -> None:
    client.force_login(join(make_user(), project))

    response = client.get(reverse(name, args=[project.slug]))

    assert response.status_code == 403
    assert "Only owners of" in response.content.decode()


def test_the_settings_lead_owners_to_the_webhooks(browser: Client, project: Project) -> None:
    page = browser.get(reverse("project_settings", args=[project.slug])).content.decode()

    assert reverse("webhook_list", args=[project.slug]) in page

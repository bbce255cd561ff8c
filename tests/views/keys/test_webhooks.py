"""What a provider tells us by webhook, and what nobody else can."""

import base64
import uuid
from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from batchapp.access import OPERATOR
from batchapp.models import Project, ProviderBatch, ProviderKey, User, WebhookDelivery
from batchapp.services.lifecycle import receive_webhook
from batchapp.services.providers import provider_keys
from tests.html import Page
from tests.make import (
    OWNER,
    finish,
    join,
    make_batch,
    make_connection,
    make_key,
    make_project,
    make_user,
    set_state,
)
from tests.webhooks import SECRET, deliver, ended, post

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
OTHER_SECRET = "whsec_" + base64.b64encode(b"the secret of quite another key").decode()
HOUR = timedelta(hours=1)


@pytest.fixture
def provider_client() -> Client:
    """No browser: it has no session, no token, and comes from elsewhere."""
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def key(project: Project) -> ProviderKey:
    """A key that listens."""
    key = make_key(project)
    provider_keys.set_webhook_secret(key, OPERATOR, SECRET)
    return key


@pytest.fixture
def provider_batch(project: Project, key: ProviderKey) -> ProviderBatch:
    """A part that runs, and whose turn comes in an hour."""
    return running(project, key)


def running(project: Project, key: ProviderKey, remote_id: str = "") -> ProviderBatch:
    return set_state(
        make_batch(project, key=key),
        status=ProviderBatch.Status.RUNNING,
        remote_id=remote_id or str(uuid.uuid4()),
        polled_at=timezone.now(),
        next_check_at=timezone.now() + HOUR,
    )


def is_due(provider_batch: ProviderBatch) -> bool:
    provider_batch.refresh_from_db()
    return bool(provider_batch.next_check_at and provider_batch.next_check_at <= timezone.now())


def effects(key: ProviderKey) -> list[str]:
    return [each.effect for each in key.deliveries.order_by("pk")]


@pytest.mark.parametrize("kind", ["batch.completed", "batch.failed"])
def test_a_batch_that_ended_is_looked_at_at_once(
    provider_client: Client,
    key: ProviderKey,
    provider_batch: ProviderBatch,
    kind: str,
    woken: list[str],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    other = running(provider_batch.batch.project, key)

    with django_capture_on_commit_callbacks(execute=True):
        status = deliver(provider_client, key, ended(provider_batch.remote_id, kind=kind))

    assert status == 202
    assert is_due(provider_batch)
    assert not is_due(other)
    assert woken == [str(provider_batch.pk)]
    delivery = key.deliveries.get()
    assert (delivery.kind, delivery.effect) == (kind, "polled")
    assert delivery.remote_id == f"batch_{provider_batch.remote_id}"


def test_a_worker_that_is_at_it_keeps_its_lease(
    provider_client: Client, key: ProviderKey, provider_batch: ProviderBatch
) -> None:
    until = timezone.now() + HOUR
    ProviderBatch.objects.filter(pk=provider_batch.pk).update(leased_until=until, claims=1)

    deliver(provider_client, key, ended(provider_batch.remote_id))

    provider_batch.refresh_from_db()
    assert (provider_batch.leased_until, provider_batch.claims, provider_batch.status) == (
        until,
        1,
        ProviderBatch.Status.RUNNING,
    )


def test_an_id_that_bears_the_prefix_itself_is_found(
    provider_client: Client, project: Project, key: ProviderKey
) -> None:
    provider_batch = running(project, key, remote_id="batch_abc")

    deliver(provider_client, key, ended("abc"))

    assert is_due(provider_batch)


FORGED: list[dict[str, Any]] = [
    {"secret": OTHER_SECRET},
    {"age": 360},
    {"age": -360},
    {"webhook_id": None},
    {"webhook_timestamp": None},
    {"webhook_signature": None},
    {"webhook_id": "another"},
    {"webhook_timestamp": "soon"},
    {"webhook_timestamp": "nan"},
    {"webhook_signature": "v1"},
    {"webhook_signature": "v1,ä"},
    {"webhook_signature": "v2,AAAA"},
    {"webhook_signature": "v1,AAAA,BBBB v1,"},
    {"message_id": 201 * "x"},
]


@pytest.mark.parametrize("how", FORGED, ids=str)
def test_what_is_not_signed_as_it_should_be_is_refused_before_anything_is_written(
    provider_client: Client,
    key: ProviderKey,
    provider_batch: ProviderBatch,
    how: dict[str, Any],
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_num_queries(1):  # the key itself
        status = deliver(provider_client, key, ended(provider_batch.remote_id), **how)

    assert status == 401
    assert not WebhookDelivery.objects.exists()
    assert not is_due(provider_batch)


def test_a_body_that_was_changed_on_its_way_is_refused_and_never_logged(
    provider_client: Client, key: ProviderKey, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    signature = "v1," + base64.b64encode(32 * b"x").decode()

    for body in [b'{"note": "very private"}', b"\xff very private"]:
        assert deliver(provider_client, key, body, webhook_signature=signature) == 401

    assert f"webhook of key {key.pk} refused" in caplog.text
    assert "very private" not in caplog.text


def test_a_huge_body_is_refused_unread(
    provider_client: Client, key: ProviderKey, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        assert deliver(provider_client, key, 65_537 * b" ") == 413
    assert deliver(provider_client, key, 65_536 * b" ") == 202


def test_nobody_listens_at_an_unknown_key_or_one_without_a_secret_or_one_removed(
    provider_client: Client, project: Project, key: ProviderKey
) -> None:
    unknown, silent = ProviderKey(pk=uuid.uuid4()), make_key(project)
    provider_keys.remove(key, OPERATOR)

    for each in (unknown, silent, key):
        assert deliver(provider_client, each, ended("x")) == 404
    assert not WebhookDelivery.objects.exists()


def test_a_secret_that_cannot_be_read_any_more_hears_nothing(
    provider_client: Client, key: ProviderKey, settings: LazySettings
) -> None:
    settings.ENCRYPTION_KEYS = [Fernet.generate_key()]

    assert deliver(provider_client, key, ended("x")) == 404


def test_only_posts_are_taken(provider_client: Client, key: ProviderKey) -> None:
    assert provider_client.get(f"/webhooks/{key.pk}/").status_code == 405


def test_no_session_is_begun(provider_client: Client, key: ProviderKey) -> None:
    deliver(provider_client, key, ended("x"))

    assert not provider_client.cookies


def test_behind_a_proxy_that_speaks_https_it_is_taken_as_it_comes(
    provider_client: Client, key: ProviderKey, settings: LazySettings
) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

    assert deliver(provider_client, key, ended("x"), x_forwarded_proto="https") == 202


def test_a_message_that_comes_twice_acts_once(
    provider_client: Client, key: ProviderKey, provider_batch: ProviderBatch
) -> None:
    deliver(provider_client, key, ended(provider_batch.remote_id), message_id="one")
    ProviderBatch.objects.filter(pk=provider_batch.pk).update(next_check_at=timezone.now() + HOUR)

    assert deliver(provider_client, key, ended(provider_batch.remote_id), message_id="one") == 202

    assert not is_due(provider_batch)
    assert key.deliveries.count() == 1


def test_two_keys_may_be_told_by_messages_of_the_same_id(
    provider_client: Client, project: Project, key: ProviderKey
) -> None:
    other = make_key(project)
    provider_keys.set_webhook_secret(other, OPERATOR, OTHER_SECRET)

    deliver(provider_client, key, ended("x"), message_id="one")
    deliver(provider_client, other, ended("x"), message_id="one", secret=OTHER_SECRET)

    assert (key.deliveries.count(), other.deliveries.count()) == (1, 1)


def test_messages_in_the_wrong_order_only_make_us_look(
    provider_client: Client, key: ProviderKey, provider_batch: ProviderBatch
) -> None:
    for kind in ("batch.completed", "batch.created", "batch.failed"):
        assert deliver(provider_client, key, ended(provider_batch.remote_id, kind=kind)) == 202

    assert is_due(provider_batch)
    provider_batch.refresh_from_db()
    assert (provider_batch.status, provider_batch.completed) == (ProviderBatch.Status.RUNNING, 0)
    assert effects(key) == ["polled", "ignored", "polled"]


def test_the_same_id_at_another_connection_is_another_batch(
    provider_client: Client, key: ProviderKey
) -> None:
    elsewhere = make_project(connection=make_connection())
    provider_batch = running(elsewhere, make_key(elsewhere))

    deliver(provider_client, key, ended(provider_batch.remote_id))

    assert not is_due(provider_batch)
    assert effects(key) == ["not_ours"]


def test_of_a_batch_on_another_key_a_webhook_does_and_tells_nothing(
    provider_client: Client, project: Project, key: ProviderKey
) -> None:
    other_team = make_project(connection=project.connection)
    on_other_keys = [
        running(project, make_key(project)),
        running(other_team, make_key(other_team)),
        finish(make_batch(other_team)).provider_batches.get(),
    ]
    before = list(ProviderBatch.objects.order_by("pk").values())

    answers = {
        (response.status_code, response.content, response.headers["Content-Type"])
        for event in (
            *(ended(row.remote_id, completed=1) for row in on_other_keys),
            ended(str(uuid.uuid4())),
            {"type": "batch.completed", "data": []},
            b"nonsense",
        )
        for response in [post(provider_client, key, event)]
    }

    assert [status for status, *_ in answers] == [202]
    assert list(ProviderBatch.objects.order_by("pk").values()) == before
    assert effects(key) == [*5 * ["not_ours"], "not_understood"]


@pytest.mark.parametrize(
    ("event", "kind", "effect"),
    [
        (b"nonsense", "", "not_understood"),
        (60_000 * b"[", "", "not_understood"),
        ({"type": "half a \ud83d"}, "half a ?", "ignored"),
        ([], "", "not_understood"),
        ({"type": 7}, "", "not_understood"),
        ({"type": "batch.completed"}, "batch.completed", "not_ours"),
        ({"type": "batch.failed", "data": 1}, "batch.failed", "not_ours"),
        (
            {"type": "batch.failed", "data": {"batch_id": "\0", "request_counts": 1}},
            "batch.failed",
            "not_ours",
        ),
        ({"type": "user.created", "data": {}}, "user.created", "ignored"),
        ({"type": 150 * "x"}, 100 * "x", "ignored"),
    ],
)
def test_what_is_signed_but_says_nothing_to_us_is_kept_and_does_nothing(
    provider_client: Client, key: ProviderKey, event: object, kind: str, effect: str
) -> None:
    assert deliver(provider_client, key, event) == 202

    delivery = key.deliveries.get()
    assert (delivery.kind, delivery.effect) == (kind, effect)


@pytest.mark.parametrize(
    ("status", "parked_reason", "effect"),
    [
        (ProviderBatch.Status.HARVESTING, "", "under_way"),
        (ProviderBatch.Status.RUNNING, "needs_attention", "under_way"),
        (ProviderBatch.Status.CANCELLED, "", "polled_again"),
    ],
)
def test_a_part_that_does_not_run_is_left_as_it_is(
    provider_client: Client,
    key: ProviderKey,
    provider_batch: ProviderBatch,
    status: str,
    parked_reason: str,
    effect: str,
) -> None:
    rows = ProviderBatch.objects.filter(pk=provider_batch.pk)
    rows.update(status=status, parked_reason=parked_reason, next_check_at=None)

    deliver(provider_client, key, ended(provider_batch.remote_id))

    provider_batch.refresh_from_db()
    is_polled = provider_batch.next_check_at is not None
    assert (provider_batch.status, is_polled) == (status, effect == "polled_again")
    assert effects(key) == [effect]


def test_the_end_that_is_known_here_asks_nobody(
    provider_client: Client,
    project: Project,
    key: ProviderKey,
    woken: list[str],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    provider_batch = finish(make_batch(project, key=key)).provider_batches.get()

    with django_capture_on_commit_callbacks(execute=True):
        deliver(provider_client, key, ended(provider_batch.remote_id, completed=3))
        assert woken == []
        deliver(provider_client, key, ended(provider_batch.remote_id, completed=2, failed=1))

    assert woken == [str(provider_batch.pk)]
    assert effects(key) == ["over", "polled_again"]


def test_the_last_two_hundred_deliveries_of_each_key_are_kept(
    provider_client: Client, project: Project, key: ProviderKey
) -> None:
    other = make_key(project)
    for each in (key, other):
        WebhookDelivery.objects.bulk_create(
            WebhookDelivery(key=each, message_id=str(number), kind="batch.completed")
            for number in range(receive_webhook.MAX_DELIVERIES)
        )

    deliver(provider_client, key, ended("x"), message_id="new")

    kept = key.deliveries.order_by("pk").values_list("message_id", flat=True)
    assert (len(kept), kept[0], kept[receive_webhook.MAX_DELIVERIES - 1]) == (
        receive_webhook.MAX_DELIVERIES,
        "1",
        "new",
    )
    assert other.deliveries.count() == receive_webhook.MAX_DELIVERIES


def test_a_key_is_made_to_listen_and_the_secret_is_never_shown(
    browser: Client, provider_client: Client, user: User
) -> None:
    key = make_key(user)
    url = f"/keys/{key.pk}/webhook/"
    assert f"http://localhost:8000/webhooks/{key.pk}/" in browser.get(url).content.decode()

    answer = browser.post(url, {"secret": f" {SECRET} "}, follow=True)

    key.refresh_from_db()
    assert key.webhook_secret() == SECRET
    assert SECRET not in key.webhook_ciphertext
    shown = answer.content.decode() + browser.get(url).content.decode()
    assert "Replace the secret" in shown
    assert SECRET not in shown
    assert key.webhook_ciphertext not in shown
    assert deliver(provider_client, key, ended("x")) == 202


def test_a_new_secret_ends_the_old_one_and_none_ends_all(
    browser: Client, provider_client: Client, user: User
) -> None:
    key = make_key(user)
    provider_keys.set_webhook_secret(key, OPERATOR, SECRET)
    url = f"/keys/{key.pk}/webhook/"

    browser.post(url, {"secret": OTHER_SECRET})
    assert deliver(provider_client, key, ended("x")) == 401
    assert deliver(provider_client, key, ended("x"), secret=OTHER_SECRET) == 202

    browser.post(url, {"action": "remove"})
    assert deliver(provider_client, key, ended("x"), secret=OTHER_SECRET) == 404


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "whsec_c2hvcnQ=", f"{SECRET}ä", SECRET.removeprefix("whsec_"), "whsec_a b"],
)
def test_what_is_no_secret_is_refused_and_not_echoed(
    browser: Client, user: User, secret: str
) -> None:
    key = make_key(user)

    html = browser.post(f"/keys/{key.pk}/webhook/", {"secret": secret}).content.decode()

    key.refresh_from_db()
    assert not key.webhook_ciphertext
    assert "secret" in html
    assert not secret.strip() or f'value="{secret}"' not in html


def test_a_secret_without_its_padding_is_the_same(
    browser: Client, provider_client: Client, user: User
) -> None:
    key = make_key(user)

    browser.post(f"/keys/{key.pk}/webhook/", {"secret": OTHER_SECRET.rstrip("=")})

    assert deliver(provider_client, key, ended("x"), secret=OTHER_SECRET) == 202


def test_deliveries_are_listed_with_the_batches_that_the_person_may_see(
    browser: Client, client: Client, user: User
) -> None:
    mine, foreign = make_project(user, role=OWNER), make_project(make_user())
    foreign.connection = mine.connection
    foreign.save()
    key = make_key(mine)
    provider_keys.set_webhook_secret(key, OPERATOR, SECRET)
    own, secret = running(mine, key), running(foreign, make_key(foreign))
    type(own.batch).objects.filter(pk=secret.batch_id).update(name="Their secret batch")
    for provider_batch in (own, secret):
        deliver(Client(), key, ended(provider_batch.remote_id))

    page = Page(browser.get(f"/keys/{key.pk}/webhook/"))

    assert own.batch.get_absolute_url() in page.links.values()
    assert "polled at once" in page.text
    assert "Their secret batch" not in page.html
    assert secret.batch.get_absolute_url() not in page.html


def test_an_address_that_no_provider_can_reach_is_pointed_out(
    browser: Client, user: User, settings: LazySettings
) -> None:
    url = f"/keys/{make_key(user).pk}/webhook/"

    assert "to https only" not in Page(browser.get(url)).text
    settings.PUBLIC_URL = "http://batch.example.com"
    assert "to https only" in Page(browser.get(url)).text
    settings.PUBLIC_URL = "https://batch.example.com"
    assert "to https only" not in Page(browser.get(url)).text


def test_the_webhooks_of_a_project_are_its_admins_to_set(client: Client, project: Project) -> None:
    key = make_key(project)
    client.force_login(join(make_user(), project, OWNER))

    client.post(f"/keys/{key.pk}/webhook/", {"secret": SECRET})

    key.refresh_from_db()
    assert key.webhook_secret() == SECRET


def test_a_removed_key_forgets_its_webhook_too(user: User) -> None:
    key = make_key(user)
    provider_keys.set_webhook_secret(key, OPERATOR, SECRET)

    provider_keys.remove(key, OPERATOR)

    key.refresh_from_db()
    assert key.webhook_secret() == ""


@pytest.mark.parametrize("end", ["completed", "failed", "expired", "cancelled"])
def test_a_webhook_in_the_form_of_openai_has_its_batch_polled(
    provider_client: Client, running: ProviderBatch, end: str
) -> None:
    """Source: https://platform.openai.com/docs/api-reference/webhook-events"""
    key = running.batch.key
    provider_keys.set_webhook_secret(key, OPERATOR, SECRET)
    event = {"object": "event", "id": "evt_1", "type": f"batch.{end}", "created_at": 1_719_168_000}

    status = deliver(provider_client, key, event | {"data": {"id": running.remote_id}})

    assert status == 202
    delivery = WebhookDelivery.objects.get()
    assert (delivery.remote_id, delivery.effect) == (running.remote_id, "polled")


def test_a_webhook_names_a_batch_whose_id_is_long(provider_client: Client) -> None:
    key = make_key(make_project())
    provider_keys.set_webhook_secret(key, OPERATOR, SECRET)
    event = {"type": "batch.completed", "data": {"id": "b" * 420}}

    deliver(provider_client, key, event)

    assert WebhookDelivery.objects.get().remote_id == "b" * 420


@pytest.mark.parametrize(("kind", "is_offered"), [("openai", True), ("groq", False), ("", False)])
def test_webhooks_are_offered_where_the_kind_of_provider_sends_them(
    browser: Client, user: User, kind: str, *, is_offered: bool
) -> None:
    key = make_key(user, make_connection(kind=kind))

    assert ("Webhook…" in Page(browser.get("/profile/")).text) == is_offered
    provider_keys.set_webhook_secret(key, OPERATOR, SECRET)
    assert "Webhook…" in Page(browser.get("/profile/")).text  # to remove the secret

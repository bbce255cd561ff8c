"""Provider keys: stored, tried, replaced, removed, and never shown."""

from urllib.parse import urlencode

import httpx
import pytest
from cryptography.fernet import Fernet
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from batchapp.access import OPERATOR
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import (
    AuditEvent,
    AuditKind,
    Batch,
    Connection,
    Project,
    ProviderBatch,
    ProviderKey,
    User,
)
from batchapp.services.providers import provider_keys
from tests.html import Page, page_of
from tests.make import (
    OWNER,
    join,
    make_batch,
    make_connection,
    make_key,
    make_project,
    make_upload,
    make_user,
    set_state,
)
from tests.provider import Provider
from tests.sentences import problem

pytestmark = pytest.mark.django_db
SECRET = "sk-very-secret-0123456789-WXYZ"


@pytest.fixture(autouse=True)
def provider(provider: Provider) -> Provider:
    """Takes every key, until a test says otherwise."""
    answers(provider, 200)
    return provider


def answers(provider: Provider, status: int) -> None:
    body = {"data": [{"id": "a"}, {"id": "b"}]} if status == 200 else {"error": "no"}
    provider.before = lambda call, request: httpx.Response(status, json=body)


def add(browser: Client, connection: object, **more: str) -> str:
    data = {"action": "key", "connection": connection, "name": "Mine", "secret": SECRET, **more}
    return browser.post("/profile/", data, follow=True).content.decode()


def test_a_key_is_stored_encrypted_and_never_shown_again(browser: Client, user: User) -> None:
    connection = make_connection()

    response = browser.post(
        "/profile/",
        {"action": "key", "connection": connection.pk, "name": "Mine", "secret": SECRET},
        follow=True,
    )

    key = ProviderKey.objects.get()
    html = response.content.decode()
    assert (key.user, key.connection, key.secret()) == (user, connection, SECRET)
    assert SECRET not in key.ciphertext
    assert "…WXYZ" in html
    assert SECRET not in html
    assert key.ciphertext not in html
    assert 'autocomplete="off"' in html


def test_a_key_without_a_name_is_called_by_its_connection_however_long_that_is(
    browser: Client, user: User
) -> None:
    connection = make_connection(name="c" * 100)

    browser.post(
        "/profile/",
        {"action": "key", "connection": connection.pk, "secret": "sk-test-000000001234"},
    )

    assert user.provider_keys.get().name == "c" * 100


def test_a_refused_key_is_not_echoed(browser: Client) -> None:
    html = browser.post(
        "/profile/", {"action": "key", "secret": f"{SECRET} oops"}
    ).content.decode()

    assert "contains a blank" in html
    assert SECRET not in html


@pytest.mark.parametrize("secret", ["", "short", "sk-with-ümlaut-12345", "two\nlines-12345678"])
def test_what_is_no_key_is_refused(browser: Client, secret: str) -> None:
    connection = make_connection()

    browser.post("/profile/", {"action": "key", "connection": connection.pk, "secret": secret})

    assert not ProviderKey.objects.exists()


def test_a_key_is_replaced_and_removed(browser: Client, user: User) -> None:
    key = make_key(user)

    browser.post(f"/keys/{key.pk}/replace/", {"secret": SECRET})
    key.refresh_from_db()
    assert key.secret() == SECRET

    browser.post(f"/keys/{key.pk}/remove/", follow=True)
    key.refresh_from_db()
    assert key.ciphertext == ""
    assert "WXYZ" not in browser.get("/profile/").content.decode()


def test_replacing_a_key_warns_while_a_batch_on_it_may_exist_unconfirmed(
    browser: Client, user: User, project: Project
) -> None:
    key = make_key(user, project.connection)
    batch = make_batch(project, user, key=key)
    url = f"/keys/{key.pk}/replace/"
    assert "paid a second time" not in Page(browser.get(url)).text

    set_state(batch, create_attempted_at=timezone.now(), status=ProviderBatch.Status.WAITING)
    assert "paid a second time" in Page(browser.get(url)).text

    set_state(batch, remote_id="batch-1", status=ProviderBatch.Status.RUNNING)
    assert "paid a second time" not in Page(browser.get(url)).text


def test_a_key_that_batches_need_stays(browser: Client, user: User, project: Project) -> None:
    key = make_key(user, project.connection)
    make_batch(project, user, key=key)

    response = browser.post(f"/keys/{key.pk}/remove/", follow=True)

    key.refresh_from_db()
    assert key.ciphertext
    assert "1 unfinished batch needs this key" in response.content.decode()


def test_a_project_key_is_added_by_an_admin_and_serves_its_members(
    browser: Client, user: User, project: Project
) -> None:
    project.memberships.update(role=OWNER)

    browser.post("/projects/support/keys/", {"name": "Team", "secret": SECRET})

    key = ProviderKey.objects.get()
    assert (key.project, key.user, key.connection) == (project, None, project.connection)
    member = Client()
    member.force_login(join(make_user(), project))
    page = Page(member.get("/projects/support/keys/"))
    assert "…WXYZ" in page.text
    assert "Add a key" not in page.text
    assert SECRET not in page.html


def test_a_key_is_tried_out_at_the_provider(
    browser: Client, user: User, provider: Provider
) -> None:
    key = make_key(user)
    html = browser.post(f"/keys/{key.pk}/test/", follow=True).content.decode()

    assert f"{key.connection} accepts the key …1234: 2 models, asked at" in html


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (401, "refused the key"),
        (402, "no credits left"),
        (404, "ask an administrator to check the connection"),
        (422, "ask an administrator to check the connection"),
        (503, "says nothing about the key"),
    ],
)
def test_a_key_that_fails_its_test_is_met_with_advice(
    browser: Client, user: User, provider: Provider, status: int, sentence: str
) -> None:
    key = make_key(user)
    provider.before = lambda call, request: httpx.Response(status, text="no")

    page = Page(browser.post(f"/keys/{key.pk}/test/", follow=True))

    assert f"{key}: " in page.text or "says nothing about the key" in page.text
    assert sentence in page.text
    assert "upload it again" not in page.text
    assert "this batch" not in page.text
    assert "sk-test" not in page.html


def test_no_page_holds_a_key(browser: Client, user: User, project: Project) -> None:
    project.memberships.update(role=OWNER)
    key = make_key(project, secret=SECRET)
    batch = make_batch(project, user, key=key)
    user.is_staff = user.is_superuser = True
    user.save()

    for url in (
        "/projects/support/keys/",
        "/profile/",
        batch.get_absolute_url(),
        f"/batches/{batch.pk}/try-again/",
        f"/keys/{key.pk}/replace/",
        f"/admin/batchapp/providerkey/{key.pk}/change/",
        f"/admin/batchapp/batch/{batch.pk}/change/",
    ):
        html = browser.get(url).content.decode()
        assert "<h1>" in html
        assert SECRET not in html
        assert key.ciphertext not in html


@pytest.mark.parametrize(
    ("status", "label", "is_refused", "sentence"),
    [
        (200, "Works", False, "The key is stored, encrypted."),
        (402, "Rejected", True, "Add credits there"),
        (404, "Not certain", False, "ask an administrator to check the connection"),
        (503, "Not certain", False, "Try again in a minute"),
    ],
)
def test_a_new_key_is_tried_at_once_and_stored_unless_the_provider_does_not_know_it(
    browser: Client, provider: Provider, status: int, label: str, is_refused: bool, sentence: str
) -> None:
    answers(provider, status)

    html = add(browser, make_connection().pk)

    key = ProviderKey.objects.get()
    assert key.secret() == SECRET
    assert key.tested_at is not None
    assert (key.is_refused, bool(key.problem)) == (is_refused, status != 200)
    assert "The key is stored, encrypted." in html
    assert f"</svg> {label}</span>" in html
    assert sentence in html


def test_a_refused_key_is_stored_only_if_that_is_asked_for(
    browser: Client, user: User, provider: Provider
) -> None:
    answers(provider, 401)
    connection = make_connection(name="Acme")

    refused = add(browser, connection.pk)

    assert "Acme refuses this key, and nothing was stored." in refused
    assert "Store it anyway" in refused
    assert SECRET not in refused
    assert not user.provider_keys.exists()

    stored = add(browser, connection.pk, store_anyway="on")

    assert user.provider_keys.get().is_refused
    assert "Rejected</span>" in stored
    assert "Replace the key or choose another" in stored


def test_a_refused_key_replaces_no_key_unless_that_is_asked_for(
    browser: Client, user: User, provider: Provider
) -> None:
    key = make_key(user, secret="sk-good-000000001234")
    answers(provider, 401)

    refused = Page(browser.post(f"/keys/{key.pk}/replace/", {"secret": SECRET}))

    key.refresh_from_db()
    assert "and nothing was stored" in refused.text
    assert (key.secret(), key.is_refused, key.tested_at) == ("sk-good-000000001234", False, None)

    browser.post(f"/keys/{key.pk}/replace/", {"secret": SECRET, "store_anyway": "on"})

    key.refresh_from_db()
    assert (key.secret(), key.is_refused) == (SECRET, True)


def test_a_name_is_taken_once_by_each_owner(
    browser: Client, user: User, project: Project, provider: Provider
) -> None:
    connection = project.connection
    add(browser, connection.pk, name="Main")
    project.memberships.update(role=OWNER)

    again = add(browser, connection.pk, name="Main")
    of_project = browser.post(
        "/projects/support/keys/", {"name": "Main", "secret": SECRET}, follow=True
    )

    assert "Another of these keys is called “Main”. Choose another name." in again
    assert "The key is stored, encrypted." in of_project.content.decode()
    assert list(user.provider_keys.values_list("name", flat=True)) == ["Main"]


def test_the_name_of_a_removed_key_is_free_again(browser: Client, user: User) -> None:
    connection = make_connection()
    add(browser, connection.pk, name="Main")
    provider_keys.remove(user.provider_keys.get(), OPERATOR)

    add(browser, connection.pk, name="Main")

    assert user.provider_keys.filter(name="Main").count() == 2


def test_keys_without_a_name_get_different_names(browser: Client, user: User) -> None:
    connection = make_connection(name="c" * 100)

    for _ in range(3):
        add(browser, connection.pk, name="")

    names = sorted(user.provider_keys.values_list("name", flat=True))
    assert names == [f"{'c' * 90} 2", f"{'c' * 90} 3", "c" * 100]


def test_two_forms_at_once_store_one_key_of_a_name(user: User) -> None:
    drafts = [
        provider_keys.draft(make_connection(), user, SECRET, name="Main", owner=user)
        for _ in range(2)
    ]

    provider_keys.insert(drafts[0], user)
    with pytest.raises(Refused) as refusal:
        provider_keys.insert(drafts[1], user)

    assert refusal.value.code == Refusal.KEY_NAME_TAKEN


def test_a_removed_key_gets_no_secret_again(browser: Client, user: User) -> None:
    key = make_key(user)
    replacement = provider_keys.draft_replacement(key, user, SECRET)
    provider_keys.remove(key, user)

    with pytest.raises(Refused):
        provider_keys.store_replacement(replacement, user)
    html = browser.post(f"/keys/{key.pk}/replace/", {"secret": SECRET}).content.decode()

    key.refresh_from_db()
    assert "This key was removed. Choose another." in html
    assert key.ciphertext == ""


def test_the_form_says_who_may_spend_on_the_key(
    browser: Client, user: User, project: Project
) -> None:
    project.memberships.update(role=OWNER)

    assert "Only you can start batches on it." in page_of(browser, "/profile/").text
    of_project = page_of(browser, "/projects/support/keys/").text
    assert "Every owner and editor of the project may spend on it." in of_project


def test_the_sentence_of_a_rejected_key_stands_below_its_row_also_on_a_phone(
    browser: Client, user: User
) -> None:
    key = make_key(user)
    provider_keys.record_problem(key, problem("The key was refused."), is_refused=True)

    cell = page_of(browser, "/profile/").one("#keys td[colspan]")

    assert cell.text == "The key was refused."
    assert cell["data-line"] == "1"


def test_a_key_that_nobody_tried_is_not_said_to_work(browser: Client, user: User) -> None:
    make_key(user)

    page = page_of(browser, "/profile/")

    assert page.one("#keys .pill").text == "Not tested yet"
    assert "It costs nothing." in page.text


def test_the_table_of_keys_says_how_many_batches_run_on_each(
    browser: Client, user: User, project: Project
) -> None:
    key = make_key(user, project.connection)
    make_batch(project, user, key=key)
    make_batch(project, user, key=key, status=Batch.Status.COMPLETED)
    make_batch(project, user, key=make_key(project))

    page = page_of(browser, "/profile/")

    assert page.texts("#keys td:nth-child(5)") == ["1"]


@pytest.mark.parametrize(
    ("kind", "address", "keys_page"),
    [
        ("doubleword", "https://api.doubleword.ai/v1", "https://app.doubleword.ai"),
        ("", "https://api.openai.com", "https://platform.openai.com/api-keys"),
        ("groq", "https://api.groq.com/openai", "https://console.groq.com/keys"),
        ("doubleword", "https://provider.test", None),
        ("", "https://provider.test", None),
    ],
)
def test_only_where_it_is_known_a_page_leads_to_where_keys_come_from(
    browser: Client, project: Project, kind: str, address: str, keys_page: str | None
) -> None:
    project.memberships.update(role=OWNER)
    Connection.objects.filter(pk=project.connection_id).update(kind=kind, base_url=address)

    links = page_of(browser, "/projects/support/keys/").links

    assert links.get("Where do I get a key?") == keys_page


def test_the_form_for_a_key_is_closed_where_there_is_one_and_open_where_it_was_refused(
    browser: Client, user: User
) -> None:
    assert "open" in page_of(browser, "/profile/").one("#keys details.fold")

    make_key(user)

    assert "open" not in page_of(browser, "/profile/").one("#keys details.fold")
    refused = Page(browser.post("/profile/", {"action": "key"}))
    assert "open" in refused.one("#keys details.fold")


def test_a_key_that_cannot_be_opened_any_more_says_so(
    browser: Client, user: User, settings: LazySettings
) -> None:
    key = make_key(user)
    provider_keys.record_success(key)
    settings.ENCRYPTION_KEYS = [Fernet.generate_key()]

    html = browser.post(f"/keys/{key.pk}/test/", follow=True).content.decode()

    assert "Could not be read</span>" in html
    assert "Works</span>" not in html
    assert "cannot be read any more. Replace it." in html


def test_no_answer_takes_no_refusal_back(browser: Client, user: User, provider: Provider) -> None:
    key = make_key(user)
    for status in (401, 503):
        answers(provider, status)
        browser.post(f"/keys/{key.pk}/test/")

    key.refresh_from_db()
    assert key.is_refused


def test_a_replaced_key_starts_anew(browser: Client, user: User, provider: Provider) -> None:
    key = make_key(user)
    provider_keys.record_problem(key, problem("It was refused."), is_refused=True)

    html = browser.post(
        f"/keys/{key.pk}/replace/", {"secret": SECRET}, follow=True
    ).content.decode()

    key.refresh_from_db()
    assert (key.is_refused, key.problem) == (False, None)
    assert "Works</span>" in html


def test_what_was_said_of_an_old_secret_is_not_kept_of_the_new(user: User) -> None:
    old = make_key(user)
    provider_keys.replace(ProviderKey.objects.get(), OPERATOR, SECRET)

    provider_keys.record_problem(old, problem("It was refused."), is_refused=True)

    key = ProviderKey.objects.get()
    assert (key.tested_at, key.is_refused, key.problem) == (None, False, None)


def test_a_key_goes_to_a_provider_that_was_chosen(browser: Client) -> None:
    make_connection()

    html = browser.get("/profile/").content.decode()

    assert '<option value="" selected>Choose the provider it is from</option>' in html
    assert "Choose the provider that gave you the key." in add(browser, "")
    assert not ProviderKey.objects.exists()


def test_the_only_provider_of_ones_projects_is_chosen_beforehand(
    browser: Client, project: Project
) -> None:
    html = browser.get("/profile/").content.decode()

    assert f'<option value="{project.connection_id}" selected>' in html


@pytest.mark.parametrize("of_project", [False, True])
def test_after_a_key_is_added_there_is_a_way_back_to_the_batch(
    browser: Client, project: Project, of_project: bool
) -> None:
    project.memberships.update(role=OWNER)
    batch = make_batch(project)
    url = "/projects/support/keys/" if of_project else "/profile/"
    back = f'<a id="back" href="{batch.get_absolute_url()}">Back to the batch</a>'
    data = {"action": "key", "connection": project.connection_id, "next": batch.get_absolute_url()}

    before = browser.get(url, {"next": batch.get_absolute_url()}).content.decode()
    refused = browser.post(url, {**data, "secret": "short"}).content.decode()
    after = browser.post(url, {**data, "secret": SECRET}, follow=True).content.decode()
    (key,) = ProviderKey.objects.exclude(pk=batch.key_id)
    tried = browser.post(f"/keys/{key.pk}/test/", data, follow=True).content.decode()
    replaced = browser.post(
        f"/keys/{key.pk}/replace/", {**data, "secret": SECRET}, follow=True
    ).content.decode()

    for html in (before, refused, after, tried, replaced):
        assert back in html
    assert f'name="next" value="{batch.get_absolute_url()}"' in refused
    query = urlencode({"next": batch.get_absolute_url()})
    assert f"/keys/{key.pk}/remove/?{query}" in after


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.test/",
        "//evil.test/",
        "/\\evil.test/",
        "javascript:alert(1)",
        "/no-such-page/",
        "profile",
        "http:///evil.test",
    ],
)
def test_the_way_back_leads_nowhere_else(browser: Client, url: str) -> None:
    html = browser.get("/profile/", {"next": url}).content.decode()

    assert 'id="back"' not in html
    assert "evil.test" not in html.split("<main")[1]


def test_no_page_of_keys_takes_more_queries_for_more_keys(
    browser: Client,
    user: User,
    project: Project,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    project.memberships.update(role=OWNER)
    for _ in range(4):
        make_project(user)
        make_key(user)
        key = make_key(project)
    make_batch(project, user, key=key, upload=make_upload(project))

    for url in (
        "/profile/",
        "/projects/support/keys/",
        f"/keys/{key.pk}/replace/",
        f"/keys/{key.pk}/remove/",
    ):
        with django_assert_max_num_queries(10):
            assert browser.get(url).status_code == 200


def test_what_is_done_to_a_key_is_recorded_without_its_secret(browser: Client, user: User) -> None:
    add(browser, make_connection(name="Acme").pk, name="Main")
    key = user.provider_keys.get()
    browser.post(f"/keys/{key.pk}/replace/", {"secret": f"{SECRET}-new"})
    browser.post(f"/keys/{key.pk}/remove/")

    events = list(AuditEvent.objects.order_by("pk"))
    assert [event.kind for event in events] == [
        AuditKind.PROVIDER_KEY_ADDED,
        AuditKind.PROVIDER_KEY_REPLACED,
        AuditKind.PROVIDER_KEY_REMOVED,
    ]
    assert {event.actor for event in events} == {user}
    assert events[0].data["name"] == "Main"
    assert events[0].data["connection"] == "Acme"
    assert SECRET not in str([event.data for event in events])

"""The console's pages of connections: limits as people read them, and keys that stay safe."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from batchapp.domain.refused import Refusal, Refused
from batchapp.models import (
    AuditEvent,
    AuditKind,
    Batch,
    Connection,
    MovedKey,
    Project,
    ProviderBatch,
    ProviderKey,
)
from batchapp.sandbox.settings import Settings
from batchapp.services.projects import projects
from tests.html import Page, page_of
from tests.make import (
    make_administrator,
    make_batch,
    make_connection,
    make_key,
    make_project,
    make_upload,
    make_user,
    set_state,
)
from tests.sandbox.processes import sandbox_thread

pytestmark = pytest.mark.django_db

MIB = 1024 * 1024


@pytest.fixture
def desk(client: Client) -> Client:
    """A browser in which an administrator is signed in."""
    client.force_login(make_administrator("ada@example.com"))
    return client


@pytest.fixture
def connection() -> Connection:
    return make_connection(name="Acme", base_url="https://api.acme.test")


def url(name: str, connection: Connection) -> str:
    return reverse(f"connection_{name}", args=[connection.pk])


def form_of(desk: Client, address: str) -> dict[str, Any]:
    """Return what the form of the page sends if nothing is changed."""
    form = page_of(desk, address).one("main form.stack")
    windows = [field["value"] for field in form.all("input[name=windows]")]
    ticks = {field["name"]: "on" for field in form.all("input[type=checkbox][checked]")}
    return form.values | ticks | {"windows": windows}


def edit(desk: Client, connection: Connection, **changes: Any) -> Page:
    """Save the form with ``changes``; None stands for a tick that is taken away."""
    address = url("edit", connection)
    data = form_of(desk, address) | changes
    sent = {name: value for name, value in data.items() if value is not None}
    return Page(desk.post(address, sent, follow=True))


def stored(connection: Connection) -> dict[str, Any]:
    return Connection.objects.filter(pk=connection.pk).values().get()


def test_a_connection_is_added_with_sizes_in_mib_and_windows_in_rows(desk: Client) -> None:
    data = form_of(desk, reverse("connection_add"))
    assert (data["max_file_mib"], data["windows"]) == ("200", ["24h", "1h"])

    desk.post(
        reverse("connection_add"),
        data
        | {
            "name": "New",
            "base_url": "https://new.test/v1/",
            "windows": ["6h", "", "1h"],
            "max_file_mib": "0.5",
            "max_requests": "",
            "extra_urls": "/v1/rerank\n/v1/embeddings\n/v1/rerank",
            "reasoning_effort_only": "yes",
        },
    )

    row = Connection.objects.get(name="New")
    assert (row.base_url, row.windows) == ("https://new.test", ["6h", "1h"])
    assert (row.max_file_bytes, row.max_requests) == (MIB // 2, None)
    assert (row.extra_urls, row.reasoning_effort_only) == (["/v1/rerank"], True)
    event = AuditEvent.objects.get(kind=AuditKind.CONNECTION_ADDED)
    assert (event.actor_name, event.data["base_url"]) == ("ada@example.com", "https://new.test")


def test_saving_an_unchanged_form_changes_nothing(desk: Client) -> None:
    row = make_connection(max_file_bytes=1000, max_body_bytes=12345, max_upload_bytes=999_999)
    before = stored(row)

    page = edit(desk, row)

    assert stored(row) == before
    assert "Nothing was changed." in page.text
    assert not AuditEvent.objects.exists()


def test_rows_of_windows_are_added_and_removed_without_saving(
    desk: Client, connection: Connection
) -> None:
    address = url("edit", connection)
    data = form_of(desk, address) | {"name": "Typed"}

    more = Page(desk.post(address, data | {"add_window": "1"}))
    fewer = Page(desk.post(address, data | {"remove_window": "0"}))

    def windows(page: Page) -> list[str]:
        return [field["value"] for field in page.all("input[name=windows]")]

    assert windows(more) == ["24h", "1h", ""]
    assert windows(fewer) == ["1h"]
    assert more.one("#id_name")["value"] == "Typed"
    connection.refresh_from_db()
    assert (connection.name, connection.windows) == ("Acme", ["24h", "1h"])


@pytest.mark.parametrize(
    "windows", [[""], [], ["24h", "24h"], ["realtime"], ["w" * 21], ["2\x004h"], ["x"] * 21]
)
def test_windows_that_no_batch_could_be_ordered_in_are_refused(
    desk: Client, connection: Connection, windows: list[str]
) -> None:
    page = edit(desk, connection, windows=windows)

    assert page.all(".errorlist")
    assert stored(connection)["windows"] == ["24h", "1h"]


@pytest.mark.parametrize("text", ["v1/rerank", "/v1/rerank/", "/v1/a b?", "/" + "a" * 100])
def test_endpoints_that_no_request_could_name_are_refused(
    desk: Client, connection: Connection, text: str
) -> None:
    page = edit(desk, connection, extra_urls=text)

    assert "Write paths of at most" in page.text
    assert stored(connection)["extra_urls"] == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_file_mib", "0"),
        ("max_file_mib", "-1"),
        ("max_file_mib", "NaN"),
        ("max_file_mib", "1e400"),
        ("max_body_mib", "99999999999"),
        ("max_requests", "9" * 30),
        ("poll_seconds", "0"),
        ("base_url", "ftp://x"),
        ("base_url", "https://user:password@acme.test"),
        ("base_url", "https://acme.test/?key=1"),
        ("name", "\x00"),
        ("reasoning_effort_only", "maybe"),
    ],
)
def test_values_that_make_no_sense_are_refused(
    desk: Client, connection: Connection, field: str, value: str
) -> None:
    before = stored(connection)

    page = edit(desk, connection, **{field: value})

    assert page.all(".errorlist")
    assert stored(connection) == before


def test_what_the_form_does_not_offer_cannot_be_written(
    desk: Client, connection: Connection
) -> None:
    edit(
        desk,
        connection,
        name="Renamed",
        platform_ciphertext="x",
        archived_at="2020-01-01",
        failures="9",
        id="77",
    )

    row = stored(connection)
    assert (row["name"], row["failures"], row["archived_at"]) == ("Renamed", 0, None)
    assert row["platform_ciphertext"] == ""


def test_a_new_address_is_written_only_once_it_is_confirmed_and_gets_no_key(
    desk: Client, connection: Connection
) -> None:
    key = make_key(make_project(connection=connection))
    connection.set_platform_key("sk-platform-1")
    connection.failures = 7
    connection.save()

    warned = edit(desk, connection, base_url="https://evil.test")
    address_before = stored(connection)["base_url"]
    done = edit(desk, connection, base_url="https://evil.test", confirms_address="on")

    assert "1 provider key and the platform key must be entered again" in warned.text
    assert address_before == "https://api.acme.test"
    connection.refresh_from_db()
    assert (connection.base_url, connection.failures) == ("https://evil.test", 0)
    assert "until they are entered again" in done.text
    with pytest.raises(MovedKey):
        ProviderKey.objects.get(pk=key.pk).secret()
    with pytest.raises(MovedKey):
        connection.platform_key()
    event = AuditEvent.objects.get(kind=AuditKind.CONNECTION_CHANGED)
    assert event.data["before"] == {"base_url": "https://api.acme.test"}
    assert event.data["after"] == {"base_url": "https://evil.test"}


def test_the_warning_says_what_becomes_of_batches_under_way(desk: Client) -> None:
    batch = make_batch()

    page = edit(desk, batch.connection, base_url="https://elsewhere.test")

    assert "1 batch under way stop then, and ask for their keys" in page.text


def test_a_window_that_a_batch_runs_in_stays(desk: Client) -> None:
    batch = make_batch()

    refused = edit(desk, batch.connection, windows=["1h"])

    assert "Under way: 1 batch, which may run in 24 h." in refused.text
    assert stored(batch.connection)["windows"] == ["24h", "1h"]
    edit(desk, batch.connection, windows=["24h"])
    assert stored(batch.connection)["windows"] == ["24h"]


def test_the_retry_in_place_stays_while_a_batch_is_paused(desk: Client) -> None:
    batch = make_batch()
    set_state(batch, parked_reason=ProviderBatch.Parked.PAUSED)

    page = edit(desk, batch.connection, has_retry="no")

    assert stored(batch.connection)["has_retry"] is None
    assert "There is 1 paused batch" in page.text


def test_a_platform_key_is_stored_encrypted_never_shown_and_removed(
    desk: Client, connection: Connection
) -> None:
    address = url("set_platform_key", connection)

    answer = desk.post(address, {"secret": "dw-platform-123"}, follow=True).content.decode()
    connection.refresh_from_db()

    assert connection.platform_key() == "dw-platform-123"
    pages = answer + desk.get(address).content.decode()
    assert "dw-platform-123" not in pages
    assert connection.platform_ciphertext not in pages
    event = AuditEvent.objects.get(kind=AuditKind.PLATFORM_KEY_SET)
    assert event.data == {"connection": "Acme", "last_four": "-123"}
    desk.post(address, {"action": "remove"})
    assert stored(connection)["platform_ciphertext"] == ""
    assert AuditEvent.objects.filter(kind=AuditKind.PLATFORM_KEY_REMOVED).exists()


def test_an_archived_connection_takes_nothing_new_until_it_is_used_again(
    desk: Client, connection: Connection
) -> None:
    desk.post(url("archive", connection), {"action": "archive"})

    assert stored(connection)["archived_at"]
    assert "Acme" not in page_of(desk, "/projects/new/").one("main form").text
    assert "Archived" in page_of(desk, url("detail", connection)).text
    desk.post(url("archive", connection), {"action": "restore"})
    assert "Acme" in page_of(desk, "/projects/new/").one("main form").text
    kinds = list(AuditEvent.objects.order_by("pk").values_list("kind", flat=True))
    assert kinds == [AuditKind.CONNECTION_ARCHIVED, AuditKind.CONNECTION_RESTORED]


def test_a_batch_cannot_be_ordered_on_an_archived_connection() -> None:
    project = make_project()
    Connection.objects.filter(pk=project.connection_id).update(archived_at=timezone.now())
    project.refresh_from_db()

    with pytest.raises(Refused) as refused:
        make_batch(project)

    assert refused.value.code == Refusal.CONNECTION_ARCHIVED
    assert not Batch.objects.exists()


def test_nothing_begins_on_a_connection_that_was_archived_a_moment_ago() -> None:
    """The project, and its connection, were read before somebody archived the connection."""
    user = make_user()
    project = make_project(user)
    upload, key = make_upload(project, user), make_key(project)
    fresh = Project(name="New", slug="new", connection=project.connection)
    Connection.objects.filter(pk=project.connection_id).update(archived_at=timezone.now())

    with pytest.raises(Refused) as ordered:
        make_batch(project, user, upload=upload, key=key)
    with pytest.raises(Refused) as created:
        projects.create_project(fresh, user)

    codes = {ordered.value.code, created.value.code}
    assert codes == {Refusal.CONNECTION_ARCHIVED}
    assert not Batch.objects.exists()
    assert not Project.objects.filter(slug="new").exists()


def test_only_an_unused_connection_is_removed(desk: Client, connection: Connection) -> None:
    used = make_batch().connection

    refused = desk.post(url("remove", used), follow=True)
    desk.post(url("remove", connection))

    assert "Archive it instead." in refused.content.decode()
    assert Connection.objects.filter(pk=used.pk).exists()
    assert not Connection.objects.filter(pk=connection.pk).exists()
    event = AuditEvent.objects.get(kind=AuditKind.CONNECTION_REMOVED)
    assert event.data["connection"] == "Acme"


def test_a_connection_with_a_removed_key_is_used(desk: Client, connection: Connection) -> None:
    key = make_key(make_administrator(), connection)
    ProviderKey.objects.filter(pk=key.pk).update(ciphertext="")

    desk.post(url("remove", connection))

    assert Connection.objects.filter(pk=connection.pk).exists()


def test_the_test_says_whether_the_provider_answers(
    desk: Client, connection: Connection, tmp_path: Path
) -> None:
    Connection.objects.filter(pk=connection.pk).update(base_url="http://127.0.0.1:9")
    silent = Page(desk.post(url("test", connection), follow=True))
    with sandbox_thread(Settings(data=tmp_path)) as address:
        connection.base_url = address
        connection.save()
        keyless = Page(desk.post(url("test", connection), follow=True))
        connection.set_platform_key("dw-platform-123")
        connection.save()
        keyed = Page(desk.post(url("test", connection), follow=True))
        connection.set_platform_key("sk-inference")
        connection.save()
        refused = Page(desk.post(url("test", connection), follow=True))

    assert "gives no usable answer at http://127.0.0.1:9" in silent.text
    assert "It was asked without a key, so the answer was HTTP 401" in keyless.text
    assert "accepts the platform key, and lists" in keyed.text
    assert "refuses the platform key" in refused.text


def test_the_health_names_what_is_wrong(desk: Client, connection: Connection) -> None:
    batch = make_batch(make_project(connection=connection))
    set_state(batch, parked_reason=ProviderBatch.Parked.NEEDS_ATTENTION)
    ProviderKey.objects.update(is_refused=True)
    now = timezone.now()
    Connection.objects.filter(pk=connection.pk).update(
        failures=5,
        down_since=now - timedelta(minutes=4),
        backoff_until=now + timedelta(minutes=2),
    )

    page = page_of(desk, url("detail", connection))

    assert "There was no usable answer for 4 min" in page.text
    assert "The provider refused 1 key at last." in page.text
    assert "Provider batches that need a person: 1." in page.text
    assert "No answer" in page_of(desk, "/administration/connections/").text


def test_the_list_takes_the_same_queries_for_any_number_of_connections(
    desk: Client, connection: Connection, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(5):
        make_key(make_project())

    with django_assert_max_num_queries(12):
        page = page_of(desk, "/administration/connections/")

    assert len(page.all("tbody tr")) == Connection.objects.count()


def test_the_kind_and_the_abilities_of_a_provider_are_chosen(
    desk: Client, connection: Connection
) -> None:
    edit(desk, connection, kind="openai", has_partial_results="yes")

    connection.refresh_from_db()
    assert (connection.kind, connection.has_partial_results, connection.has_retry) == (
        *("openai", True, None),
    )
    page = page_of(desk, url("detail", connection)).text
    assert "Kind of provider OpenAI" in page
    assert "Can do partial results" in page
    edit(desk, connection, kind="", base_url="https://api.acme.test/v1beta/openai/")
    page = page_of(desk, url("detail", connection)).text
    assert "Not known yet; it is found out when a key is tested" in page
    assert "API https://api.acme.test/v1beta/openai" in page


def test_a_kind_that_cannot_pause_is_not_chosen_while_a_batch_is_paused(desk: Client) -> None:
    batch = make_batch()
    set_state(batch, parked_reason=ProviderBatch.Parked.PAUSED)

    page = edit(desk, batch.connection, kind="openai")

    assert stored(batch.connection)["kind"] == "doubleword"
    assert "There is 1 paused batch" in page.text


@pytest.mark.parametrize(("kind", "is_offered"), [("doubleword", True), ("openai", False)])
def test_a_platform_key_is_asked_for_where_the_kind_tells_something_to_it(
    desk: Client, connection: Connection, kind: str, *, is_offered: bool
) -> None:
    Connection.objects.filter(pk=connection.pk).update(kind=kind)

    page = page_of(desk, reverse("connection_detail", args=[connection.pk]))

    assert bool(page.all("#set-platform-key")) == is_offered
    assert ("tell no prices or balance" in page.text) == (not is_offered)

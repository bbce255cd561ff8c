"""A key is sent to no address that it was not entered for, however the address was changed."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from django.test import Client
from django.utils import timezone

from batchapp.domain.problem import ProblemCode
from batchapp.models import Batch, Connection, MovedKey, ProviderBatch, ProviderKey
from batchapp.models.fields.encryption import seal_for
from batchapp.pipeline import provider_access
from batchapp.presenters.problem_text import problem_text
from batchapp.providers import kinds
from batchapp.sandbox.settings import Settings
from batchapp.services.lifecycle import controls
from batchapp.services.providers import provider_keys
from tests.html import Page
from tests.make import (
    OWNER,
    SANDBOX_MODEL,
    join,
    make_batch,
    make_connection,
    make_key,
    make_project,
    make_upload,
    make_user,
    request_file,
)
from tests.providers.doubles import Recorder
from tests.sandbox.processes import sandbox_thread
from tests.steps import make_due, run_step, run_steps

pytestmark = pytest.mark.django_db

SECRET = "sk-entered-for-the-first-address-1234"


@pytest.fixture
def thief() -> Iterator[tuple[str, list[str]]]:
    """Somebody else's server: its address, and the keys that it received."""
    received: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            received.append(self.headers.get("Authorization", ""))
            self.send_error(404)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", received
        server.shutdown()
        thread.join()


def move(connection: Connection, url: str) -> None:
    """Change the address as SQL would, past every form and service."""
    Connection.objects.filter(pk=connection.pk).update(base_url=url)


def order(url: str) -> ProviderBatch:
    connection = make_connection(base_url=url, poll_seconds=1, create_grace_seconds=0)
    project = make_project(connection=connection)
    upload = make_upload(project, content=request_file(2, model=SANDBOX_MODEL))
    batch = make_batch(project, upload=upload, key=make_key(project, secret=SECRET))
    return batch.provider_batches.get()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("https://api.acme.test", "https://api.evil.test"),
        ("https://api.acme.test", "http://api.acme.test"),
        ("https://api.acme.test", "https://api.acme.test:8443"),
        ("https://api.acme.test/one", "https://api.acme.test/two"),
        ("https://api.acme.test", "https://api.acme.test@evil.test"),
        ("https://api.acme.test", "https://api.acme.test.evil.test"),
        ("https://api.acme.test", "https://evil.test#@api.acme.test"),
        ("https://api.acme.test", "https://evil.test?api.acme.test"),
        ("https://api.acme.test", "no address"),
    ],
)
def test_another_address_gets_no_key(before: str, after: str) -> None:
    connection = make_connection(base_url=before)
    connection.set_platform_key("sk-platform")
    connection.save()
    key = make_key(make_project(connection=connection))

    move(connection, after)

    connection.refresh_from_db()
    key = ProviderKey.objects.get(pk=key.pk)
    with pytest.raises(MovedKey):
        provider_access.provider_client(key)
    with pytest.raises(MovedKey):
        connection.platform_key()
    assert not provider_access.platform_client(connection, timeout=timedelta(seconds=1))
    assert not key.is_readable


@pytest.mark.parametrize(
    "spelling",
    ["https://API.acme.test/", "https://api.acme.test:443/v1", " https://api.acme.test/v1/ "],
)
def test_another_spelling_of_the_same_address_keeps_the_keys(spelling: str) -> None:
    connection = make_connection(base_url="https://api.acme.test")
    key = make_key(make_project(connection=connection), secret=SECRET)

    move(connection, spelling)

    assert ProviderKey.objects.get(pk=key.pk).secret() == SECRET


def test_the_ciphertext_of_another_connection_cannot_be_used(thief) -> None:
    key = make_key(make_project(), secret=SECRET)
    other = make_key(make_project(connection=make_connection(base_url=thief[0])))

    ProviderKey.objects.filter(pk=other.pk).update(ciphertext=key.ciphertext)

    with pytest.raises(MovedKey):
        provider_access.provider_client(ProviderKey.objects.get(pk=other.pk))


def test_a_secret_that_names_no_address_is_not_sent() -> None:
    key = make_key(make_project())
    key.ciphertext = seal_for("", "")  # as short as a text without an address can be

    with pytest.raises(MovedKey):
        key.secret()


@pytest.mark.parametrize("is_sent", [False, True])
def test_batches_of_a_moved_connection_say_what_to_do_and_go_on_with_the_key_entered_again(
    thief: tuple[str, list[str]], tmp_path: Path, *, is_sent: bool
) -> None:
    address, received = thief
    with sandbox_thread(Settings(data=tmp_path, speed=50)) as url:
        provider_batch = order(url)
        while is_sent and not provider_batch.remote_id:
            provider_batch = run_step(provider_batch)
        batch, connection = provider_batch.batch, provider_batch.connection

        move(connection, address)
        run_steps(provider_batch)

        provider_batch = make_due(provider_batch)
        assert received == []
        assert provider_batch.parked_reason == ProviderBatch.Parked.NEEDS_ATTENTION
        assert provider_batch.problem
        assert provider_batch.problem.code == ProblemCode.KEY_MOVED
        assert "enter the key again, then try again" in problem_text(provider_batch.problem)

        move(connection, url.replace("127.0.0.1", "localhost"))  # the provider has moved there
        owner = join(make_user(), batch.project, OWNER)
        provider_keys.replace(ProviderKey.objects.get(pk=batch.key_id), owner, SECRET)
        assert controls.try_again(Batch.objects.get(pk=batch.pk), owner)
        run_steps(make_due(provider_batch))

    batch.refresh_from_db()
    assert (batch.status, batch.succeeded) == (Batch.Status.COMPLETED, 2)


def test_a_batch_that_ended_asks_the_new_address_for_nothing(
    thief: tuple[str, list[str]], tmp_path: Path
) -> None:
    with sandbox_thread(Settings(data=tmp_path, speed=50)) as url:
        provider_batch = order(url)
        run_steps(provider_batch)
    Batch.objects.filter(pk=provider_batch.batch_id).update(next_check_at=timezone.now())

    move(provider_batch.connection, thief[0])
    run_steps(provider_batch)

    assert thief[1] == []


def test_pages_say_which_keys_must_be_entered_again(
    client: Client, thief: tuple[str, list[str]]
) -> None:
    project = make_project(user := make_user(), role=OWNER)
    key = make_key(project)
    client.force_login(user)
    move(project.connection, thief[0])

    keys = Page(client.get(f"/projects/{project.slug}/keys/"))
    tested = Page(client.post(f"/keys/{key.pk}/test/", follow=True))

    assert "Enter it again" in keys.text
    assert "sent to no address that it was not entered for. Replace it." in tested.text
    assert thief[1] == []


def test_the_kind_of_a_provider_is_found_out_at_the_first_contact(tmp_path: Path) -> None:
    for guise in ("doubleword", "openai"):
        with sandbox_thread(Settings(data=tmp_path / guise, guise=guise)) as url:
            connection = make_connection(base_url=url, kind="")
            key = make_key(make_project(connection=connection))

            with provider_access.open_provider(key) as provider:
                provider.list_models()

        connection.refresh_from_db()
        assert connection.kind == guise


def test_a_provider_that_shows_no_kind_stays_one_of_which_nothing_is_known() -> None:
    recorder = Recorder(404, text="Not found")
    connection = make_connection(kind="")
    key = make_key(make_project(connection=connection))
    client = kinds.connect(
        kinds.UNKNOWN, connection.base_url, "sk-1", transport=httpx.MockTransport(recorder)
    )

    provider_keys.find_out_kind(key, client)

    connection.refresh_from_db()
    assert connection.kind == ""
    assert not connection.capabilities.pause

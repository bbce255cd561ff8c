"""Uploads over real HTTP: who may send what is answered before the body is read."""

import http.client
import json
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.processes.portal import ROOT, Portal, free_port, is_up, until

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(
        "DATABASE_URL" in os.environ,
        reason="uploads are received in a folder of the host",
    ),
]

MIB = 1024 * 1024
PATIENCE = 90  # seconds; an answer that waits for the body never comes
BOUNDARY = "x" * 20
DOORS = [
    ("/projects/demo/files/", "demo"),
    ("/projects/demo/tables/new/", "demo"),
    ("/batches/new/", "any project"),
    ("/prices/import/", "administrators"),
]

REQUEST = (
    b'{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": '
    b'{"model": "Qwen/Qwen3.5-9B", "messages": [{"role": "user", "content": "Hello"}]}}'
)

# One person for each role; prints the key of a session for each.
PEOPLE = """
import json
from importlib import import_module
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from batchapp.models import Membership, Project, User
project = Project.objects.get(slug="demo")
sessions = {}
for name, role in (("editor", "editor"), ("viewer", "viewer"), ("outsider", None)):
    user = User.objects.create_user(email=f"{name}@example.com", password="x")
    if role:
        Membership.objects.create(project=project, user=user, role=role)
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    sessions[name] = session.session_key
print(json.dumps(sessions))
"""


@pytest.fixture(scope="module")
def sessions(running_portal: Portal) -> dict[str, str]:
    running_portal.bootstrap()
    done = running_portal.manage("shell", "--verbosity", "0", "--command", PEOPLE)
    return dict(json.loads(done.stdout.splitlines()[-1]))


@contextmanager
def sending(
    url: str, path: str, session: str, headers: dict[str, str]
) -> Iterator[http.client.HTTPConnection]:
    """Send the headers of an upload, and none of its body."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=PATIENCE)
    connection.putrequest("POST", path)
    content_type = f"multipart/form-data; boundary={BOUNDARY}"
    cookies = f"sessionid={session}; csrftoken={32 * 'c'}"
    for name, value in ({"Content-Type": content_type, "Cookie": cookies} | headers).items():
        connection.putheader(name, value)
    connection.endheaders()
    try:
        yield connection
    finally:
        connection.close()


def answer(connection: http.client.HTTPConnection) -> tuple[int, str]:
    response = connection.getresponse()
    return response.status, response.read().decode()


@pytest.mark.parametrize(("path", "room"), DOORS)
@pytest.mark.parametrize("person", ["viewer", "outsider", "nobody"])
def test_who_may_not_send_is_told_before_the_body(
    running_portal: Portal, sessions: dict[str, str], path: str, room: str, person: str
) -> None:
    length = {"Content-Length": str(134 * MIB)}
    with sending(running_portal.url, path, sessions.get(person, ""), length) as connection:
        status, page = answer(connection)

    if person == "nobody":
        assert (status, "Sign in first" in page) == (413, True)
    else:
        assert status == (404 if person == "outsider" and room != "administrators" else 403)


@pytest.mark.parametrize(("path", "room"), DOORS[:3])
def test_a_body_that_is_too_large_is_told_before_the_body(
    running_portal: Portal, sessions: dict[str, str], path: str, room: str
) -> None:
    length = {"Content-Length": str(3_000 * MIB)}
    with sending(running_portal.url, path, sessions["editor"], length) as connection:
        status, page = answer(connection)

    assert status == 413
    assert "3,000 MiB, and the portal takes at most 2,048 MiB" in page


def test_a_page_without_files_takes_none(running_portal: Portal, sessions: dict[str, str]) -> None:
    length = {"Content-Length": str(100 * MIB)}
    with sending(running_portal.url, "/sign-out/", sessions["editor"], length) as connection:
        status, page = answer(connection)

    assert status == 413
    assert "This page takes no files" in page


def test_a_large_body_in_chunks_waits_at_the_same_doors(
    running_portal: Portal, sessions: dict[str, str]
) -> None:
    chunked = {"Transfer-Encoding": "chunked"}
    for path, person, expected in (
        ("/projects/demo/files/", "viewer", 403),
        ("/projects/demo/files/", "outsider", 404),
        ("/projects/demo/files/", "nobody", 413),
        ("/batches/new/", "viewer", 403),
    ):
        session = sessions.get(person, "")
        with sending(running_portal.url, path, session, chunked) as connection:
            connection.send(chunk(2 * MIB * b"x"))
            status, _ = answer(connection)

        assert status == expected, (path, person)


def test_a_form_in_chunks_is_read_like_any_other(
    running_portal: Portal, sessions: dict[str, str]
) -> None:
    large = json.dumps(json.loads(REQUEST) | {"custom_id": "large"}).encode() + 2 * MIB * b" "
    for content in (REQUEST, REQUEST + b"\n" + large):
        body = (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="csrfmiddlewaretoken"'
            f"\r\n\r\n{32 * 'c'}\r\n"
        ).encode()
        body += upload_begin() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
        path, chunked = "/projects/demo/files/", {"Transfer-Encoding": "chunked"}
        with sending(running_portal.url, path, sessions["editor"], chunked) as connection:
            connection.send(b"".join(chunk(body[n : n + MIB]) for n in range(0, len(body), MIB)))
            connection.send(b"0\r\n\r\n")
            status, _ = answer(connection)

        assert status == 302, len(content)
    assert not uploading(running_portal)


def test_the_answer_arrives_also_if_the_sender_goes_on(
    running_portal: Portal, sessions: dict[str, str]
) -> None:
    length = {"Content-Length": str(40 * MIB)}
    path = "/projects/demo/files/"
    with sending(running_portal.url, path, sessions["viewer"], length) as connection:
        for _ in range(40):
            connection.send(MIB * b"x")
        status, page = answer(connection)

    assert status == 403
    assert "Ask one of its owners" in page


def test_nothing_of_an_upload_that_breaks_off_stays(
    running_portal: Portal, sessions: dict[str, str]
) -> None:
    length = {"Content-Length": str(40 * MIB)}
    path = "/projects/demo/files/"
    with sending(running_portal.url, path, sessions["editor"], length) as connection:
        connection.send(upload_begin() + 8 * MIB * b"x")
        until(lambda: uploading(running_portal), "the file that is being received")
        assert connection.sock
        connection.sock.shutdown(socket.SHUT_RDWR)

    until(lambda: not uploading(running_portal), "the file to be deleted")


def test_a_full_disk_is_said_and_keeps_no_half_of_a_file(
    running_portal: Portal, sessions: dict[str, str]
) -> None:
    """The limit of one file of a process stands for a disk without room."""
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "manage.py", "serve", "web"],
        cwd=ROOT,
        env=running_portal.env | {"PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=limit_files,  # noqa: PLW1509  # the child starts Python at once
    ) as web:
        try:
            url = f"http://localhost:{port}"
            until(lambda: is_up(f"{url}/readyz"), "the web server")
            body = upload_begin() + 16 * MIB * b"x" + f"\r\n--{BOUNDARY}--\r\n".encode()
            length = {"Content-Length": str(len(body))}
            path = "/projects/demo/files/"
            with sending(url, path, sessions["editor"], length) as connection:
                connection.send(body)
                status, page = answer(connection)
            assert status == 507
            assert "no room for this" in page
            assert not uploading(running_portal)
            assert is_up(f"{url}/readyz")
        finally:
            web.terminate()
            web.wait()


def limit_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (8 * MIB, 8 * MIB))


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def upload_begin() -> bytes:
    disposition = 'Content-Disposition: form-data; name="file"; filename="a.jsonl"'
    return f"--{BOUNDARY}\r\n{disposition}\r\n\r\n".encode()


def uploading(portal: Portal) -> list[Path]:
    """Return the files of uploads on disk, also those that only an open handle holds."""
    folder = Path(portal.env["DATA_DIR"]) / "uploading"
    held = []
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            held.append(descriptor.readlink())
    return [*folder.iterdir(), *(path for path in held if path.is_relative_to(folder))]

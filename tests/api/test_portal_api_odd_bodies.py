"""Bodies that break off, say something else than they are, or are far too large."""

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadhandler import TemporaryUploadedFile
from django.test import Client
from django.utils import timezone

from batchapp.models import Batch, Membership, PortalKey, Project, Upload, User
from tests.make import bearer, make_portal_key, make_upload, request_file

pytestmark = pytest.mark.django_db

JSON = "application/json"
FORM = "multipart/form-data; boundary=b"
FILE = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n'
PURPOSE = b'\r\n--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch'
END = b"\r\n--b--\r\n"
CUT = {"incomplete_body"}
# What the web server says of a body whose length it does not know, and whose end it sees.
CHUNKED = {
    "CONTENT_LENGTH": "",
    "HTTP_TRANSFER_ENCODING": "chunked",
    "wsgi.input_terminated": True,
}

Post = Callable[..., Any]


class BrokenInput(BytesIO):
    """A body whose sender is gone, or sends too slowly for the web server, after some bytes."""

    def read(self, *sizes: int | None) -> bytes:
        chunk = super().read(*sizes)
        if not chunk:
            raise OSError("the connection was closed")
        return chunk


@pytest.fixture
def headers(project: Project, user: User) -> dict[str, str]:
    """The header of a key that submits."""
    return bearer(make_portal_key(user, project, scope="submit").secret)


@pytest.fixture
def post(client: Client, headers: dict[str, str]) -> Post:
    """Send a body as it is, with the length and the header fields that the test wants."""
    client.raise_request_exception = False

    def send(path: str, body: bytes, kind: str, length: int | None = None, **extra: Any) -> Any:
        announced = len(body) if length is None else length
        sent = {"CONTENT_LENGTH": str(announced), "wsgi.input": BytesIO(body)}
        sent |= {"CONTENT_TYPE": kind} | extra  # which the client leaves out without a body
        return client.generic("POST", path, body, kind, headers=headers, **sent)

    return send


@pytest.fixture
def files_on_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[TemporaryUploadedFile]:
    """Collect the temporary files of uploads."""
    monkeypatch.setattr(settings, "FILE_UPLOAD_TEMP_DIR", tmp_path)
    made: list[TemporaryUploadedFile] = []
    make = TemporaryUploadedFile.__init__

    def note(self: TemporaryUploadedFile, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        made.append(self)

    monkeypatch.setattr(TemporaryUploadedFile, "__init__", note)
    return made


def test_no_file_of_an_odd_body_is_kept_or_left_open(
    post: Post, files_on_disk: list[TemporaryUploadedFile]
) -> None:
    sound = FILE + request_file() + PURPOSE + END
    without_end = FILE + request_file()
    after_file = FILE + request_file() + PURPOSE[:-2]
    base64 = FILE.replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n")
    large_header = FILE.replace(b"\r\n\r\n", b"\r\nX: " + 5_000 * b"x" + b"\r\n\r\n")
    twice = FILE + request_file() + b"\r\n" + FILE + b"{" + PURPOSE + END
    cases: dict[str, tuple[Any, int, set[str]]] = {
        "cut in the file": (post("/v1/files", without_end, FORM, len(sound)), 400, CUT),
        "cut after the file": (post("/v1/files", after_file, FORM, len(sound)), 400, CUT),
        "cut at the last byte": (post("/v1/files", sound[:-1], FORM, len(sound)), 400, CUT),
        "nothing arrives": (post("/v1/files", b"", FORM, len(sound)), 400, CUT),
        "the sender is gone": (
            post(
                *("/v1/files", b"", FORM, len(sound)),
                **{"wsgi.input": BrokenInput(FILE + request_file())},
            ),
            400,
            CUT,
        ),
        "no end": (post("/v1/files", without_end, FORM), 400, {"missing_parameter"}),
        "another boundary": (
            post("/v1/files", sound, "multipart/form-data; boundary=c"),
            400,
            {"missing_parameter"},
        ),
        "another kind of form": (
            post("/v1/files", sound, "multipart/mixed; boundary=b"),
            400,
            {"missing_parameter"},
        ),
        "JSON": (post("/v1/files", b"{}", "application/json"), 400, {"missing_parameter"}),
        "no kind": (post("/v1/files", sound, ""), 400, {"missing_parameter"}),
        "not base64": (
            post("/v1/files", base64 + b"{}!" + END, FORM),
            400,
            {"invalid_multipart"},
        ),
        "a large header of a part": (
            post("/v1/files", large_header + request_file() + PURPOSE + END, FORM),
            400,
            {"invalid_multipart", "missing_parameter"},
        ),
        "the last of two files": (post("/v1/files", twice, FORM), 400, {"invalid_file"}),
        "another purpose": (
            post("/v1/files", sound.replace(b"\r\nbatch", b"\r\nother"), FORM),
            400,
            {"invalid_parameter"},
        ),
        "errors in the file": (post("/v1/files", FILE + b"{" + END, FORM), 400, {"invalid_file"}),
        "in chunks, and the sender is gone": (
            post("/v1/files", b"", FORM, **(CHUNKED | {"wsgi.input": BrokenInput(sound[:-9])})),
            *(400, CUT),
        ),
        "in chunks, without an end of the file": (
            post("/v1/files", without_end, FORM, **CHUNKED),
            *(400, {"missing_parameter"}),
        ),
        "in chunks of nothing": (
            post("/v1/files", b"", FORM, **CHUNKED),
            *(400, {"missing_parameter"}),
        ),
        "a negative length": (
            post("/v1/files", sound, FORM, CONTENT_LENGTH="-1"),
            400,
            {"invalid_multipart", "missing_parameter"},
        ),
        "a length in words": (
            post("/v1/files", sound, FORM, CONTENT_LENGTH="many"),
            400,
            {"missing_parameter"},
        ),
        "too long a header": (
            post("/v1/files", sound, FORM, HTTP_IDEMPOTENCY_KEY=100_000 * "k"),
            400,
            {"invalid_idempotency_key"},
        ),
    }

    for name, (response, status, codes) in cases.items():
        assert response.status_code == status, (name, response.content)
        assert response.json()["error"]["code"] in codes, name
    assert len(files_on_disk) > 5
    assert all(file.closed for file in files_on_disk)
    assert not any(settings.FILE_UPLOAD_TEMP_DIR.iterdir())
    assert not Upload.objects.exists()


def test_the_temporary_file_of_a_sound_body_is_gone_as_well(
    post: Post, files_on_disk: list[TemporaryUploadedFile]
) -> None:
    response = post("/v1/files", FILE + request_file() + PURPOSE + END, FORM)

    assert response.status_code == 200
    assert [file.closed for file in files_on_disk] == [True]
    assert not any(settings.FILE_UPLOAD_TEMP_DIR.iterdir())


@pytest.mark.parametrize("end", ["revoked_at", "expires_at", "left"])
def test_nothing_is_kept_of_a_file_whose_key_ended_while_it_came(
    post: Post, files_on_disk: list[TemporaryUploadedFile], project: Project, end: str
) -> None:
    sound = FILE + request_file() + PURPOSE + END

    class LateInput(BytesIO):
        """A body that comes so slowly that the key ends meanwhile."""

        def read(self, size: int | None = -1, /) -> bytes:
            if end == "left":
                Membership.objects.filter(project=project).delete()
            else:
                PortalKey.objects.update(**{end: timezone.now()})
            return super().read(size)

    response = post(*("/v1/files", b"", FORM, len(sound)), **{"wsgi.input": LateInput(sound)})

    assert response.status_code == 401
    assert response.json()["error"]["code"] == "invalid_api_key"
    assert not Upload.objects.exists()
    assert [file.closed for file in files_on_disk] == [True]
    assert not any(settings.FILE_UPLOAD_TEMP_DIR.iterdir())


def test_an_odd_order_orders_nothing(post: Post, project: Project) -> None:
    order = {
        "input_file_id": f"file-{make_upload(project).pk.hex}",
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
    }
    sound = json.dumps(order).encode()
    metadata = {"10,000 entries": {str(n): "x" for n in range(10_000)}, "a list": [1], "text": "x"}
    metadata |= {"a number": {"n": 1}, "a long text": {"n": 513 * "x"}, "a NUL": {"n": "\0"}}
    metadata |= {"half a pair": {"n": "\ud800"}, "a name of half a pair": {"\udbff": "x"}}
    cases: dict[str, tuple[Any, set[int]]] = {
        name: (post("/v1/batches", json.dumps(order | {"metadata": value}).encode(), JSON), {400})
        for name, value in metadata.items()
    }
    cases |= {
        f"half a pair as {name}": (
            post("/v1/batches", json.dumps(order | {name: "\ud83d"}).encode(), JSON),
            {400},
        )
        for name in (*order, "a member that the portal does not know")
    }
    cases |= {
        "a key with a NUL": (
            post("/v1/batches", sound, JSON, HTTP_IDEMPOTENCY_KEY="a\0b"),
            {400},
        ),
        "cut off": (post("/v1/batches", sound[:-1], JSON, len(sound)), {400}),
        "the sender is gone": (
            post(
                *("/v1/batches", b"", JSON, len(sound)), **{"wsgi.input": BrokenInput(sound[:9])}
            ),
            {400},
        ),
        "nothing": (post("/v1/batches", b"", JSON), {400}),
        "a form": (post("/v1/batches", FILE + request_file() + END, FORM), {400}),
        "a list of orders": (post("/v1/batches", b"[" + sound + b"]", JSON), {400}),
        "not UTF-8": (post("/v1/batches", b"\xff" + sound, JSON), {400}),
        "deep": (post("/v1/batches", 100_000 * b"[", JSON), {400}),
        "no number": (post("/v1/batches", sound[:-1] + b', "priority": NaN}', JSON), {400}),
        "a large number": (post("/v1/batches", 10_000 * b"1", JSON), {400}),
        "a long key": (
            post("/v1/batches", sound, JSON, HTTP_IDEMPOTENCY_KEY=100_000 * "k"),
            {400},
        ),
        "too large": (
            post("/v1/batches", sound + settings.DATA_UPLOAD_MAX_MEMORY_SIZE * b" ", JSON),
            {413},
        ),
        "too large, in chunks": (
            post(
                "/v1/batches",
                sound + settings.DATA_UPLOAD_MAX_MEMORY_SIZE * b" ",
                JSON,
                **CHUNKED,
            ),
            {413},
        ),
        "cut off, in chunks": (
            post("/v1/batches", b"", JSON, **(CHUNKED | {"wsgi.input": BrokenInput(sound[:9])})),
            {400},
        ),
    }

    for name, (response, statuses) in cases.items():
        assert response.status_code in statuses, (name, response.content)
        assert response.json()["error"]["code"], name
    assert not Batch.objects.exists()


def test_an_odd_cursor_is_refused_by_its_name(client: Client, headers: dict[str, str]) -> None:
    odd = ["", "x", "batch_", "batch_" + 32 * "0", "batch_" + 32 * "Z", "\0", "é", 5_000 * "9"]

    for path in ("/v1/batches", "/v1/files"):
        for after in odd:
            response = client.get(path, {"after": after}, headers=headers)
            if response.status_code != 200:  # an empty one may be taken for none
                assert response.status_code == 400, (path, after[:20])
                assert response.json()["error"]["param"] == "after"
            else:
                assert not after

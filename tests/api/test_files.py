"""Files by portal key: sent through the check, listed, read and deleted."""

import json
from io import BytesIO
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from batchapp.models import AuditEvent, AuditKind, Project, StaleRow, Upload, User
from batchapp.services.archive import purge
from batchapp.services.files.checked_upload import receive_checked_file
from tests.make import (
    MODEL,
    answer,
    answer_line,
    bearer,
    error_line,
    finish,
    join,
    make_batch,
    make_portal_key,
    make_project,
    make_upload,
    make_user,
    request_file,
    request_line,
)

pytestmark = pytest.mark.django_db

FILES = "/v1/files"


@pytest.fixture
def headers(project: Project, user: User) -> dict[str, str]:
    """The header of a key that submits."""
    return bearer(make_portal_key(user, project, scope="submit").secret)


def send(
    client: Client,
    headers: dict[str, str],
    content: bytes,
    name: str = "questions.jsonl",
    **fields: Any,
) -> Any:
    data = {"file": SimpleUploadedFile(name, content), "purpose": "batch", **fields}
    return client.post(FILES, data, headers=headers)


def body_of(response: Any) -> bytes:
    return b"".join(response.streaming_content)


def test_a_sound_file_is_stored_with_its_report_and_its_key(
    client: Client, project: Project, user: User, headers: dict[str, str]
) -> None:
    response = send(client, headers, request_file(), anything="else")

    upload = Upload.objects.get()
    body = response.json()
    assert response.status_code == 200
    assert body == {
        "id": f"file-{upload.pk.hex}",
        "object": "file",
        "bytes": len(request_file()),
        "created_at": int(upload.created_at.timestamp()),
        "filename": "questions.jsonl",
        "purpose": "batch",
        "status": "processed",
        "created_by_email": user.email,
        "context_name": project.name,
        "context_type": "organization",
    }
    assert (upload.status, upload.requests) == (Upload.Status.READY, 3)
    assert upload.leased_until is None
    assert upload.portal_key
    assert upload.portal_key.user == user
    assert client.get(f"{FILES}/{body['id']}", headers=headers).json() == body
    content = client.get(f"{FILES}/{body['id']}/content", headers=headers)
    assert body_of(content) == request_file()


def test_what_may_be_wrong_with_a_file_that_is_stored_is_told(
    client: Client, headers: dict[str, str]
) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}
    odd = [body | {"temperature": "hot"}, body, body | {"max_tokens": -5}]
    lines = [
        {"custom_id": f"odd-{n}", "method": "POST", "url": "/v1/chat/completions", "body": each}
        for n, each in enumerate(odd)
    ]

    response = send(client, headers, "\n".join(map(json.dumps, lines)).encode())

    told = response.json()
    assert (response.status_code, told["warning_total"]) == (200, 2)
    assert [(row["line"], row["custom_id"]) for row in told["warnings"]] == [
        (1, "odd-0"),
        (3, "odd-2"),
    ]
    assert "temperature" in told["warnings"][0]["message"]


def test_the_page_of_a_file_names_the_key_that_sent_it(
    client: Client, browser: Client, project: Project, user: User, headers: dict[str, str]
) -> None:
    send(client, headers, request_file())

    page = browser.get(Upload.objects.get().get_absolute_url()).content.decode()
    page = " ".join(page.split())

    assert f"<bdi>{user.portal_keys.get()}</bdi>" in page


def test_a_faulty_file_is_refused_with_all_its_errors_and_nothing_is_kept(
    client: Client, headers: dict[str, str]
) -> None:
    lines = [request_line(1), "{", *(request_line(n, method="GET") for n in range(300))]
    content = "\n".join(lines).encode()

    response = send(client, headers, content)

    error = response.json()["error"]
    assert response.status_code == 400
    assert (error["code"], error["param"], error["type"]) == (
        *("invalid_file", "file"),
        "invalid_request_error",
    )
    assert error["message"].startswith("Line 2: ")
    assert error["finding_total"] > len(error["findings"]) == 100
    assert set(error["findings"][0]) == {"code", "line", "custom_id", "message"}
    assert not Upload.objects.exists()


def test_what_is_no_upload_is_refused_with_the_reason(
    client: Client, headers: dict[str, str]
) -> None:
    file = request_file()
    cases: dict[str, tuple[Any, str, str | None]] = {
        "another purpose": (
            send(client, headers, file, purpose="x"),
            "invalid_parameter",
            "purpose",
        ),
        "no file": (
            client.post(FILES, {"purpose": "batch"}, headers=headers),
            "missing_parameter",
            "file",
        ),
        "text as file": (
            client.post(FILES, {"file": "text"}, headers=headers),
            "missing_parameter",
            "file",
        ),
        "JSON": (
            client.post(FILES, {"file": "x"}, content_type="application/json", headers=headers),
            "missing_parameter",
            "file",
        ),
        "no boundary": (
            client.post(FILES, b"x", content_type="multipart/form-data", headers=headers),
            "invalid_multipart",
            None,
        ),
        "an empty file": (send(client, headers, b""), "invalid_file", "file"),
        "a table": (send(client, headers, b"id,text\n1,a\n", "t.csv"), "invalid_file", "file"),
    }

    for name, (response, code, param) in cases.items():
        assert response.status_code == 400, name
        error = response.json()["error"]
        assert (error["code"], error["param"]) == (code, param), name
    assert not Upload.objects.exists()


def test_a_body_that_broke_off_is_not_taken_for_a_shorter_file(
    client: Client, headers: dict[str, str]
) -> None:
    """Cut at the end of a line, what arrived would be a sound file."""
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n'
    body = head + request_file()

    for length in (len(body) + 1, len(body) + 10_000):
        response = client.generic(
            "POST",
            FILES,
            body,
            "multipart/form-data; boundary=b",
            headers=headers,
            **{"CONTENT_LENGTH": str(length), "wsgi.input": BytesIO(body)},
        )

        assert response.status_code == 400
        assert response.json()["error"]["code"] in {"incomplete_body", "invalid_multipart"}
    assert not Upload.objects.exists()


def test_a_file_over_the_limit_of_its_connection_is_refused(
    client: Client, headers: dict[str, str], project: Project
) -> None:
    project.connection.max_upload_bytes = 100
    project.connection.save()
    large = send(client, headers, request_file())

    assert large.status_code == 413
    assert large.json()["error"]["code"] == "too_large"
    assert not Upload.objects.exists()


def test_a_file_that_is_deleted_while_its_report_is_stored_is_sent_again(
    project: Project, user: User
) -> None:
    file = ContentFile(request_file())

    def delete(upload: Upload, _report: object) -> dict[str, object]:
        Upload.objects.get(pk=upload.pk).delete()
        return {}

    with pytest.raises(StaleRow):  # which the API answers with 409
        receive_checked_file(project, user, file, name="a.jsonl", further_fields=delete)

    assert not Upload.objects.exists()


def test_the_same_call_again_is_the_same_file(client: Client, headers: dict[str, str]) -> None:
    first = send(client, headers, request_file()).json()["id"]
    again = send(client, headers, request_file()).json()["id"]
    other_name = send(client, headers, request_file(), "other.jsonl").json()["id"]
    keyed = send(client, headers | {"Idempotency-Key": "k"}, request_file()).json()["id"]
    keyed_again = send(client, headers | {"Idempotency-Key": "k"}, request_file()).json()["id"]

    assert first == again
    assert keyed == keyed_again
    assert len({first, other_name, keyed}) == 3
    assert Upload.objects.count() == 3


@pytest.mark.parametrize("named", [{}, {"Idempotency-Key": "nightly"}])
def test_a_file_that_was_deleted_since_is_not_the_answer_to_the_same_call(
    client: Client, headers: dict[str, str], project: Project, named: dict[str, str]
) -> None:
    """Its requests went with those of a batch, or somebody deleted the file."""
    first = send(client, headers | named, request_file()).json()["id"]
    upload = Upload.objects.get()
    purge.start_purge([finish(make_batch(project, upload=upload))])

    second, again = (send(client, headers | named, request_file()).json()["id"] for _ in range(2))
    client.delete(f"{FILES}/{second}", headers=headers)
    third = send(client, headers | named, request_file()).json()["id"]

    assert first != second == again
    assert client.get(f"{FILES}/{first}/content", headers=headers).status_code == 410
    content = client.get(f"{FILES}/{third}/content", headers=headers)
    assert body_of(content) == request_file()
    assert Upload.objects.with_content().count() == 1


def test_the_list_has_files_and_results_in_pages_without_a_gap(
    client: Client,
    project: Project,
    headers: dict[str, str],
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    uploads = [make_upload(project, name=f"{n}.jsonl", is_checked=False) for n in range(3)]
    batches = [finish(make_batch(project, upload=make_upload(project))) for _ in range(2)]
    everything = client.get(FILES, headers=headers).json()["data"]

    for order in ("desc", "asc"):
        for limit in (1, 2, 4):
            seen: list[str] = []
            after = ""
            while True:
                page = client.get(
                    FILES, {"limit": limit, "after": after, "order": order}, headers=headers
                ).json()
                assert page["first_id"] == page["data"][0]["id"]
                assert page["last_id"] == page["data"][-1]["id"]
                seen += [file["id"] for file in page["data"]]
                after = page["last_id"]
                if not page["has_more"]:
                    break
            wanted = [file["id"] for file in everything]
            assert seen == (wanted if order == "desc" else wanted[::-1])
    assert len(everything) == len(uploads) + 3 * len(batches)
    with django_assert_num_queries(4):  # the key, files, batches, sizes
        client.get(FILES, headers=headers)
    found = {
        purpose: client.get(FILES, {"purpose": purpose}, headers=headers).json()["data"]
        for purpose in ("batch", "batch_output", "batch_error")
    }
    assert [len(files) for files in found.values()] == [5, 2, 2]
    named = client.get(FILES, {"search": "1.JSON"}, headers=headers).json()["data"]
    assert [file["filename"] for file in named] == ["1.jsonl"]


def test_an_odd_list_is_refused_by_the_name_of_the_parameter(
    client: Client, headers: dict[str, str]
) -> None:
    foreign = make_upload()
    cases = {
        "after": ["x", "file-", f"file-{foreign.pk.hex}", f"file-{foreign.pk}", "\0", "é"],
        "limit": ["0", "-1", "x", "1e9", "9" * 5000],
        "order": ["up"],
        "purpose": ["fine-tune"],
        "search": ["x" * 201],
    }

    for param, values in cases.items():
        for value in values:
            response = client.get(FILES, {param: value}, headers=headers)
            assert response.status_code == 400, (param, value[:20])
            assert response.json()["error"]["param"] == param


def test_results_are_read_from_a_line_on_while_the_batch_runs(
    client: Client, project: Project, headers: dict[str, str]
) -> None:
    batch = make_batch(project, upload=make_upload(project, content=request_file(5)))
    output = f"{FILES}/file-output-{batch.pk.hex}/content"
    nothing = client.get(output, headers=headers)
    lines = [answer_line(n) for n in range(1, 6)]
    answer(batch, lines[:2])
    answer(batch, lines[:4])

    def read(**parameters: int) -> tuple[bytes, str, str, str]:
        response = client.get(output, parameters, headers=headers)
        content = body_of(response)
        assert response["Content-Length"] == str(len(content))
        return content, response["X-Last-Line"], response["X-Incomplete"], response["Content-Type"]

    kind = "application/x-ndjson"
    ended = [line if line.endswith(b"\n") else line + b"\n" for line in lines]
    assert (body_of(nothing), nothing["X-Incomplete"], nothing["X-Last-Line"]) == (
        b"",
        "true",
        "0",
    )
    assert read() == (b"".join(ended[:4]), "4", "true", kind)
    for skip in range(6):
        part = b"".join(ended[skip:4])
        assert read(skip=skip) == read(offset=skip) == (part, str(max(skip, 4)), "true", kind)
    assert read(skip=1, limit=2) == (b"".join(ended[1:3]), "3", "true", kind)
    finish(batch, lines)
    assert read(skip=4) == (ended[4], "5", "false", kind)
    assert read(skip=4, limit=1)[2] == "false"
    assert read(skip=3, limit=1)[2] == "true"


def test_errors_are_in_the_form_of_openai_and_answers_stay_as_they_came(
    client: Client, project: Project, headers: dict[str, str]
) -> None:
    answer = {"error": {"message": "This model's limit is 8 tokens", "code": "context_length"}}
    details = {"status": 400, "body": json.dumps(answer)}
    wrapped = json.dumps({"type": "NonRetriableHttpStatus", "details": details})
    lines = [answer_line(1)]
    batch = finish(make_batch(project), lines, [error_line(2, wrapped), error_line(3, "Plain.")])

    def read(kind: str, **sent: str) -> Any:
        path = f"{FILES}/file-{kind}-{batch.pk.hex}/content"
        return client.get(path, {"skip": 0}, headers=headers | sent)

    response = read("error", Range="bytes=5-")
    told, plain = body_of(response).splitlines(keepends=True)
    assert json.loads(told) == {
        "id": "line-2",
        "custom_id": "row-2",
        "response": {"status_code": 400, "request_id": None, "body": answer},
        "error": {"code": "context_length", "message": "This model's limit is 8 tokens"},
    }
    assert plain == error_line(3, "Plain.") + b"\n"
    assert (response.status_code, response["X-Last-Line"]) == (200, "2")
    assert body_of(read("output")) == lines[0] + b"\n"


def test_a_range_of_bytes_is_sent_alone(client: Client, headers: dict[str, str]) -> None:
    content = request_file()
    file = send(client, headers, content).json()["id"]
    size = len(content)
    cases = {
        "bytes=0-9": (206, content[:10], f"bytes 0-9/{size}"),
        "bytes=10-": (206, content[10:], f"bytes 10-{size - 1}/{size}"),
        "bytes=-5": (206, content[-5:], f"bytes {size - 5}-{size - 1}/{size}"),
        f"bytes=3-{size + 99}": (206, content[3:], f"bytes 3-{size - 1}/{size}"),
        "bytes=5-2": (200, content, None),
        "bytes=0-1,4-5": (200, content, None),
        "lines=1-2": (200, content, None),
    }

    for header, (status, part, answered) in cases.items():
        response = client.get(f"{FILES}/{file}/content", headers=headers | {"Range": header})
        assert (response.status_code, body_of(response)) == (status, part), header
        assert response.get("Content-Range") == answered
    behind = client.get(f"{FILES}/{file}/content", headers=headers | {"Range": f"bytes={size}-"})
    assert (behind.status_code, behind["Content-Range"]) == (416, f"bytes */{size}")


def test_requests_are_read_by_lines_as_well(client: Client, headers: dict[str, str]) -> None:
    content = request_file(4)
    lines = content.splitlines(keepends=True)
    file = send(client, headers, content).json()["id"]

    response = client.get(f"{FILES}/{file}/content", {"skip": 1, "limit": 2}, headers=headers)

    assert body_of(response) == b"".join(lines[1:3])
    assert (response["X-Last-Line"], response["X-Incomplete"]) == ("3", "true")


def test_what_is_downloaded_is_in_the_audit_and_an_empty_poll_is_not(
    client: Client, project: Project, headers: dict[str, str]
) -> None:
    batch = finish(make_batch(project))
    output = f"{FILES}/file-output-{batch.pk.hex}/content"

    for skip in (0, 3, 4):
        body_of(client.get(output, {"skip": skip}, headers=headers))

    (event,) = AuditEvent.objects.filter(kind=AuditKind.DOWNLOADED)
    assert event.data["batch"] == str(batch.pk)


def test_a_file_is_deleted_unless_a_batch_needs_it(
    client: Client, project: Project, user: User, headers: dict[str, str]
) -> None:
    unused, used = make_upload(project), make_upload(project)
    batch = finish(make_batch(project, upload=used))
    reader = bearer(make_portal_key(user, project).secret)

    def delete(file: str, sent: dict[str, str] = headers) -> tuple[int, str]:
        response = client.delete(f"{FILES}/{file}", headers=sent)
        body = response.json()
        return response.status_code, body.get("error", {}).get("code", "")

    assert delete(f"file-{unused.pk.hex}", reader) == (403, "insufficient_scope")
    assert delete(f"file-{unused.pk.hex}") == (200, "")
    assert delete(f"file-{unused.pk.hex}") == (404, "not_found")
    assert delete(f"file-{used.pk.hex}") == (400, "file_in_use")
    assert delete(f"file-output-{batch.pk.hex}") == (400, "file_of_batch")
    assert list(Upload.objects.all()) == [used]


def test_an_estimate_has_the_cost_of_the_window_and_never_zero_for_unknown(
    client: Client, project: Project, headers: dict[str, str]
) -> None:
    priced = make_upload(project)
    unpriced = make_upload(project, content=request_file(model="nobody/knows"))

    def estimate(upload: Upload, **parameters: str) -> dict[str, Any]:
        url = f"{FILES}/file-{upload.pk.hex}/cost-estimate"
        body: dict[str, Any] = client.get(url, parameters, headers=headers).json()
        return body

    known = estimate(priced)
    assert known["total_requests"] == known["models"][0]["request_count"] == 3
    assert known["completion_window"] == project.connection.window_names[0]
    assert float(known["low_cost"]) <= float(known["total_estimated_cost"])
    assert known["total_estimated_cost"] == known["models"][0]["estimated_cost"]
    assert estimate(unpriced)["total_estimated_cost"] is None
    assert estimate(priced, completion_window="7d")["error"]["param"] == "completion_window"


def test_files_of_others_are_not_there_and_a_viewer_sends_none(
    client: Client, project: Project, headers: dict[str, str]
) -> None:
    stranger = make_user()
    theirs = make_upload(make_project(stranger), stranger)
    batch = finish(make_batch(make_project(stranger), stranger))
    viewer = join(make_user(), project, "viewer")

    for file in (
        *(f"file-{theirs.pk.hex}", f"file-output-{batch.pk.hex}", f"file-error-{batch.pk.hex}"),
        *(f"file-{theirs.pk}", f"FILE-{theirs.pk.hex}", f"file-past-{batch.pk.hex}", "x", "%00"),
    ):
        for path in ("", "/content", "/cost-estimate"):
            response = client.get(f"{FILES}/{file}{path}", headers=headers)
            assert response.status_code == 404, file
        assert client.delete(f"{FILES}/{file}", headers=headers).status_code == 404
    assert client.get(FILES, headers=headers).json()["data"] == []
    sent = send(
        client, bearer(make_portal_key(viewer, project, scope="submit").secret), request_file()
    )
    assert (sent.status_code, sent.json()["error"]["code"]) == (403, "insufficient_permissions")


def test_an_unchanged_file_is_not_sent_again(client: Client, headers: dict[str, str]) -> None:
    file = send(client, headers, request_file()).json()["id"]
    first = client.get(f"{FILES}/{file}", headers=headers)

    again = client.get(f"{FILES}/{file}", headers=headers | {"If-None-Match": first["ETag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert json.loads(first.content)["id"] == file

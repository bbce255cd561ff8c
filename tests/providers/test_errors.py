import json
import pickle
from datetime import timedelta

import httpx
import pytest

from batchapp.providers.errors import About, ProviderRejected, ProviderUnavailable, Reason
from tests.providers.doubles import KEY, failure

HTML = {"content": b"<!DOCTYPE html><html><body><h1>Welcome</h1></body></html>"}

REJECTIONS = [
    (400, Reason.INVALID, "Line 3: Missing 'model' field in request body"),
    (400, Reason.WINDOW_UNSUPPORTED, "Unsupported completion_window. Allowed values: 24h, 1h"),
    (401, Reason.KEY_REFUSED, "Authentication required"),
    (402, Reason.NO_CREDIT, "Account balance too low. Please add credits to continue."),
    (403, Reason.FORBIDDEN, "Insufficient permissions to Create Files"),
    (404, Reason.NOT_FOUND, "Batch with ID 7c1f not found"),
    (405, Reason.INVALID, ""),
    (410, Reason.GONE, "The response was deleted"),
    (413, Reason.TOO_LARGE, "File exceeds the maximum allowed size of 104857600 bytes"),
    (415, Reason.INVALID, "Expected request with `Content-Type: application/json`"),
    (422, Reason.INVALID, "Failed to deserialize the JSON body into the target type"),
]


@pytest.mark.parametrize(("status", "reason", "message"), REJECTIONS)
def test_a_plain_text_rejection_keeps_the_providers_sentence(client_of, status, reason, message):
    error = failure(client_of(status, text=message))

    assert isinstance(error, ProviderRejected)
    assert (error.status, error.reason, error.message) == (status, reason, message)
    assert str(error).startswith(f"creating the batch: HTTP {status}: {message}")


def test_a_rejection_without_a_message_names_the_status(client_of):
    assert str(failure(client_of(405))) == "creating the batch: HTTP 405: Method Not Allowed"
    assert str(failure(client_of(499))) == "creating the batch: HTTP 499: no message"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"message": "duplicate"}, "duplicate"),
        (
            {"error": {"message": "Incorrect API key", "code": "invalid_api_key"}},
            "Incorrect API key",
        ),
        ({"error": "too_many_requests", "message": "Slow down"}, "Slow down"),
        ({"error": "just a word"}, "just a word"),
        ({"detail": "Not authenticated"}, "Not authenticated"),
        ({"error": {"code": 7}}, '{"error":{"code":7}}'),
        (["odd"], '["odd"]'),
        ("quoted", '"quoted"'),
    ],
)
def test_the_message_of_a_json_rejection_is_found(client_of, body, message):
    assert failure(client_of(400, json=body)).message == message


def test_a_message_is_cleaned_and_cut(client_of):
    error = failure(client_of(400, content=b"bad\r\n\x00\x1b[31m  line \xff" + b"x" * 1000))

    assert error.message.startswith("bad [31m line \ufffdxxx")
    assert len(error.message) == 500
    assert error.message.endswith("…")


def test_a_rejection_without_end_is_not_read_in_full(client_of):
    chunks = []

    def endless():
        while len(chunks) < 1000:
            chunks.append(1)
            yield b"x" * 65536

    error = failure(client_of(400, content=endless()))

    assert isinstance(error, ProviderRejected)
    assert len(chunks) < 5


@pytest.mark.parametrize("status", [400, 403, 413])
def test_html_is_never_shown(client_of, status):
    error = failure(client_of(status, headers={"Content-Type": "text/html"}, text="<h1>no</h1>"))

    assert isinstance(error, ProviderRejected)
    assert error.message == ""
    assert "<" not in str(error)
    assert "base URL" in str(error)


MARKUP = [
    b"<h1>502 Bad Gateway</h1>",
    b"<center>nginx</center>",
    b"<body>Sorry</body>",
    b"\xef\xbb\xbf<h1>Sorry</h1>",
    "<h1>Sorry</h1>".encode("utf-16"),
    b"<?xml version='1.0'?><Error/>",
    b"<Error><Code>AccessDenied</Code></Error>",
    b"502: <html><body>nginx</body></html>",
]


@pytest.mark.parametrize("kind", ["", "text/plain", "application/json"])
@pytest.mark.parametrize("markup", MARKUP)
@pytest.mark.parametrize("status", [400, 429, 502])
def test_markup_is_told_by_its_content_and_never_shown(client_of, status, markup, kind):
    error = failure(client_of(status, headers={"Content-Type": kind}, content=markup))

    assert error.message == ""
    assert "<" not in str(error)
    assert "an HTML page instead of a message" in str(error)


@pytest.mark.parametrize("markup", MARKUP)
def test_markup_with_not_found_does_not_mean_that_the_batch_is_gone(client_of, markup):
    assert isinstance(failure(client_of(404, content=markup)), ProviderUnavailable)


def test_of_a_page_inside_a_json_error_the_words_are_shown(client_of):
    page = "<html><body><h1>502 Bad Gateway</h1></body></html>"

    assert failure(client_of(502, json={"message": page})).message == "502 Bad Gateway"
    assert failure(client_of(400, text="<think> is unknown")).message == "<think> is unknown"


@pytest.mark.parametrize("status", [404, 410])
def test_a_web_page_with_not_found_is_not_trusted(client_of, status):
    error = failure(client_of(status, **HTML))

    assert isinstance(error, ProviderUnavailable)
    assert error.status == status


@pytest.mark.parametrize(
    ("status", "body", "maybe_done", "wait"),
    [
        (408, {}, True, None),
        (409, {"message": "conflict"}, True, None),
        (
            429,
            {"error": "too_many_requests", "message": "Full", "retry_after_seconds": 30},
            False,
            30,
        ),
        (500, None, True, None),
        (502, None, True, None),
        (
            503,
            {"error": "service_unavailable", "message": "x", "retry_after_seconds": 30},
            True,
            30,
        ),
        (503, None, True, None),
        (503, {"message": "Service Unavailable"}, True, None),
        (504, None, True, None),
    ],
)
def test_a_provider_with_problems_is_unavailable(client_of, status, body, maybe_done, wait):
    answer = {"text": "Internal server error"} if body is None else {"json": body}
    error = failure(client_of(status, **answer))

    assert isinstance(error, ProviderUnavailable)
    assert (error.status, error.maybe_done) == (status, maybe_done)
    assert error.retry_after == (wait and timedelta(seconds=wait))


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("60", timedelta(seconds=60)),
        ("1.5", timedelta(seconds=1.5)),
        ("0", timedelta(seconds=1)),
        ("999999999999999999999", timedelta(hours=1)),
        ("Wed, 21 Oct 2026 07:30:00 GMT", timedelta(minutes=2)),
        ("Wed, 21 Oct 2026 07:00:00 GMT", timedelta(seconds=1)),
        ("Wed, 21 Oct 2099 07:00:00 GMT", timedelta(hours=1)),
        ("soon", timedelta(seconds=30)),
        ("-5", timedelta(seconds=30)),
        ("", timedelta(seconds=30)),
    ],
)
def test_the_retry_after_header_wins_over_the_body(client_of, header, wait):
    headers = {"Retry-After": header, "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}

    error = failure(client_of(429, headers=headers, json={"retry_after_seconds": 30}))

    assert error.retry_after == wait


@pytest.mark.parametrize("seconds", ["soon", None, True, [], {}])
def test_an_unreadable_wait_counts_as_none(client_of, seconds):
    error = failure(client_of(503, json={"message": "x", "retry_after_seconds": seconds}))

    assert error.retry_after is None


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (HTML, "an HTML page instead of the API; check the connection's base URL"),
        ({"headers": {"Content-Type": "text/html; charset=utf-8"}, "text": "hi"}, "an HTML page"),
        ({"text": "OK"}, "something that is not JSON"),
        ({"content": b"\xff\xfe"}, "something that is not JSON"),
        ({"content": b"[" * 100_000}, "something that is not JSON"),
        ({"content": b""}, "an empty page"),
        ({"json": []}, "JSON that is not a batch"),
        ({"json": {"status": "validating"}}, "a batch without an id"),
        ({"json": {"id": ""}}, "a batch without an id"),
        ({"json": {"id": 7}}, "a batch without an id"),
        ({"json": {"id": ".."}}, "a batch without an id"),
        ({"json": {"id": "x" * 2001}}, "a batch without an id"),
        ({"headers": {"Content-Encoding": "gzip"}, "content": iter([b"no gzip"])}, "garbled"),
    ],
)
def test_a_malformed_success_may_have_created_a_batch(client_of, answer, says):
    error = failure(client_of(201, **answer))

    assert isinstance(error, ProviderUnavailable)
    assert error.maybe_done
    assert says in str(error)


@pytest.mark.parametrize(
    "error",
    ["no deployment of m", {"message": "no deployment of m", "code": 404}, {"detail": "no m"}],
)
def test_a_create_that_is_answered_200_with_an_error_is_rejected(client_of, error):
    rejection = failure(client_of(200, json={"error": error, "object": "error"}))

    assert isinstance(rejection, ProviderRejected)
    assert (rejection.status, rejection.reason) == (200, Reason.INVALID)
    assert rejection.message in str(rejection)


def test_another_call_that_is_answered_200_with_an_error_is_made_again(client_of):
    with pytest.raises(ProviderUnavailable, match="answered with an error: busy"):
        client_of(200, json={"error": {"message": "busy"}}).retrieve_batch("b1")


def test_an_answer_without_end_is_abandoned(client_of, monkeypatch):
    monkeypatch.setattr("batchapp.providers.responses.MAX_ANSWER_BYTES", 1000)

    error = failure(client_of(200, content=b" " * 2000))

    assert "more than 1000 bytes" in str(error)


@pytest.mark.parametrize(
    ("exception", "maybe_done"),
    [
        (httpx.ConnectError("[Errno 111] Connection refused"), False),
        (httpx.ConnectTimeout("timed out"), False),
        (httpx.PoolTimeout("no connection free"), False),
        (httpx.ReadTimeout("timed out"), True),
        (httpx.WriteTimeout("timed out"), True),
        (httpx.ReadError("reset"), True),
        (httpx.WriteError("broken pipe"), True),
        (httpx.RemoteProtocolError(f"illegal header {KEY}"), True),
    ],
)
def test_without_an_answer_the_error_tells_if_the_request_may_have_been_processed(
    client_of, exception, maybe_done
):
    def handler(request: httpx.Request) -> httpx.Response:
        raise exception

    error = failure(client_of(handler))

    assert isinstance(error, ProviderUnavailable)
    assert (error.maybe_done, error.status) == (maybe_done, None)
    assert KEY not in str(error)
    assert "Errno" not in str(error)


def test_a_broken_rejection_still_counts(client_of):
    def broken():
        yield b"Account"
        raise httpx.ReadError("reset")

    error = failure(client_of(402, content=broken()))

    assert isinstance(error, ProviderRejected)
    assert error.reason is Reason.NO_CREDIT


@pytest.mark.parametrize(
    "error",
    [
        ProviderRejected("creating: HTTP 402: no", 402, "no"),
        ProviderRejected("creating: HTTP 400: no", 400, "no", Reason.WINDOW_UNSUPPORTED),
        ProviderUnavailable("creating: full", status=429, about=About.ACCOUNT),
        ProviderUnavailable("creating: late", retry_after=timedelta(seconds=5), maybe_done=False),
    ],
)
def test_errors_survive_a_queue(error):
    copy = pickle.loads(pickle.dumps(error))

    assert (str(copy), vars(copy)) == (str(error), vars(error))


def test_every_4xx_has_a_reason():
    assert {Reason.of(status) for status in range(400, 500)} == set(Reason) - {
        Reason.WINDOW_UNSUPPORTED,  # only the message says so
        Reason.UNREADABLE,  # of a 2xx
    }


@pytest.mark.parametrize("seconds", [b"1" + b"0" * 400, b"1e300", b"3600.5"])
def test_an_excessive_wait_is_an_hour(client_of, seconds):
    error = failure(client_of(503, content=b'{"error":"x","retry_after_seconds":%s}' % seconds))

    assert error.retry_after == timedelta(hours=1)


def test_json_in_a_plain_answer_is_read_in_full(client_of):
    body = json.dumps({"message": "é" * 100}).encode()

    assert failure(client_of(400, content=body)).message == "é" * 100

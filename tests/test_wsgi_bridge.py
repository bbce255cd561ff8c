"""Slow clients, large bodies and streams in front of a WSGI application, over real connections."""

import asyncio
import logging
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest
import uvicorn

from config.wsgi_bridge import (
    BUSY_UPLOADS,
    PAGE_THREADS,
    SMALL_BYTES,
    STREAM_THREADS,
    UPLOAD_THREADS,
    ClientGone,
    WsgiBridge,
)

LARGE_PART = 50_000 * b"x"
PATIENCE = 120  # seconds, for what comes at once on an idle machine


class Server:
    """A WSGI application of one function, and what it has seen."""

    def __init__(self, port: int) -> None:
        self.address = ("127.0.0.1", port)
        self.url = f"http://127.0.0.1:{port}"
        self.environ: dict[str, Any] = {}
        self.errors: list[ClientGone] = []
        self.begun_streams = threading.Semaphore(0)
        self.is_stream_closed = threading.Event()
        self.ended_transfers = threading.Semaphore(0)
        self.reading_threads: set[int] = set()
        self.waits_for_body = threading.Semaphore(0)

    def __call__(  # noqa: C901  # a table of what applications do
        self, environ: dict[str, Any], start: Callable[..., Any]
    ) -> Iterable[bytes]:
        self.environ = environ
        match environ["PATH_INFO"]:
            case "/stream":
                start("200 OK", [("Content-Type", "text/plain")])
                return self._endless()
            case "/rows":
                start("200 OK", [])
                return iter([b"row\n"] * 50_000)
            case "/large":
                start("200 OK", [])
                return iter([LARGE_PART] * 50)
            case "/stream-after-body":
                environ["wsgi.input"].read()
                start("200 OK", [])
                return self._endless()
            case "/refused":  # before the body is read
                start("413 Too Large", [("Content-Length", "3")])
                return [b"no\n"]
            case "/raises":
                raise RuntimeError("before the head")
            case "/never-starts":
                return [b"no\n"]
            case "/raises-in-its-body":
                start("200 OK", [("Content-Length", "9")])
                return self._failing()
            case "/raises-in-its-stream":
                start("200 OK", [])
                return self._failing()
            case "/says-a-wrong-length":
                start("200 OK", [("Content-Length", "9")])
                return [b"four"]
            case "/204" | "/304" as path:
                start(f"{path[1:]} Nothing", [("ETag", '"1"')])
                return [b"left out"]
        size = 0
        self.reading_threads.add(threading.get_ident())
        try:
            while chunk := environ["wsgi.input"].read(50_000):
                size += len(chunk)
        except ClientGone as exc:
            self.errors.append(exc)
            raise
        finally:
            self.reading_threads.discard(threading.get_ident())
        body = str(size).encode()
        start("200 OK", [("Content-Length", str(len(body))), ("Set-Cookie", " seen=1")])
        return [body]

    def let_go(self) -> None:
        """Tell an upload that waits for its body from a transfer that is over."""
        if threading.get_ident() in self.reading_threads:
            self.waits_for_body.release()
        else:
            self.ended_transfers.release()

    def run(self, web: uvicorn.Server, listener: socket.socket) -> None:
        self._web = web
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(listener)))
        self._thread.start()

    async def _serve(self, listener: socket.socket) -> None:
        await self._web.serve([listener])
        for connection in list(self._web.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)

    def stop(self) -> None:
        """End the server without waiting for its transfers."""
        self._web.should_exit = self._web.force_exit = True
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def _endless(self) -> Iterator[bytes]:
        self.begun_streams.release()
        try:
            while True:
                yield b"x" * 100_000
        finally:
            self.is_stream_closed.set()

    def _failing(self) -> Iterator[bytes]:
        yield b"four"
        raise RuntimeError("after the head")

    def connect(self, *sent: bytes) -> socket.socket:
        connection = socket.create_connection(self.address, timeout=PATIENCE)
        connection.sendall(b"".join(sent))
        return connection


@pytest.fixture
def server() -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0), backlog=500) as listener:
        it = Server(listener.getsockname()[1])
        bridge = WsgiBridge(it, let_go=it.let_go)
        config = uvicorn.Config(
            bridge, http="h11", loop="asyncio", ws="none", lifespan="off", log_config=None
        )
        it.run(uvicorn.Server(config), listener)
        yield it
        it.stop()


def _get(server: Server, path: str = "/", **options: Any) -> httpx.Response:
    method = "POST" if "content" in options else "GET"
    return httpx.request(method, server.url + path, trust_env=False, timeout=PATIENCE, **options)


def test_clients_that_send_nothing_or_a_part_hold_no_thread(server: Server) -> None:
    beginnings = [
        b"",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Sl",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc",
    ]
    slow = [server.connect(beginning) for beginning in beginnings for _ in range(2 * PAGE_THREADS)]

    answer = _get(server)

    assert answer.text == "0"
    for connection in slow:
        connection.close()


def test_uploads_that_wait_for_their_sender_hold_back_neither_pages_nor_an_upload(
    server: Server,
) -> None:
    head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {SMALL_BYTES + 1}\r\n\r\n".encode()
    slow = [server.connect(head, b"x" * 1000) for _ in range(UPLOAD_THREADS - 1)]

    page = _get(server)
    upload = _get(server, content=b"x" * (3 * SMALL_BYTES))

    assert (page.text, upload.text) == ("0", str(3 * SMALL_BYTES))
    for connection in slow:
        connection.close()


def test_an_upload_that_finds_no_thread_is_told_so_and_the_next_finds_one(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("config.wsgi_bridge.QUEUE_SECONDS", 0.5)
    head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {2 * SMALL_BYTES}\r\n\r\n".encode()
    slow = [server.connect(head, b"x" * 1000) for _ in range(UPLOAD_THREADS)]
    for _ in slow:
        assert server.waits_for_body.acquire(timeout=PATIENCE)

    refused = _get(server, content=b"x" * (3 * SMALL_BYTES))
    page = _get(server)
    for connection in slow:
        connection.close()
    for _ in slow:
        assert server.ended_transfers.acquire(timeout=PATIENCE)
    upload = _get(server, content=b"x" * (3 * SMALL_BYTES))

    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "60")
    assert "Too many files are being sent" in refused.text
    assert (page.text, upload.text) == ("0", str(3 * SMALL_BYTES))


def test_an_upload_lets_go_of_what_it_holds_whenever_it_waits_for_its_sender(
    server: Server,
) -> None:
    head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {2 * SMALL_BYTES}\r\n\r\n".encode()

    with closing(server.connect(head)) as connection:
        for _ in range(3):
            assert server.waits_for_body.acquire(timeout=PATIENCE)
            connection.sendall(b"x" * 1000)
        assert not server.ended_transfers.acquire(blocking=False)

    assert server.ended_transfers.acquire(timeout=PATIENCE)


def test_a_body_without_a_length_is_read_to_its_end(server: Server) -> None:
    pieces = (b"x" * 70_000 for _ in range(5))

    assert _get(server, content=pieces).text == "350000"


def test_a_refusal_is_sent_before_the_body_has_arrived(server: Server) -> None:
    head = b"POST /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 90000000\r\n\r\n"

    with closing(server.connect(head)) as connection:
        answer = connection.recv(1000)

    assert answer.startswith(b"HTTP/1.1 413")


def test_a_stream_ends_when_its_reader_leaves(server: Server) -> None:
    with httpx.stream("GET", f"{server.url}/stream", trust_env=False, timeout=PATIENCE) as answer:
        first = next(answer.iter_bytes())

    assert first.startswith(b"xxx")
    assert server.is_stream_closed.wait(PATIENCE)
    assert server.ended_transfers.acquire(timeout=PATIENCE)


def test_the_application_sees_the_request_as_wsgi_describes_it(server: Server) -> None:
    with closing(
        server.connect(
            b"GET /caf%C3%A9/%FF?q=%20 HTTP/1.1\r\nHost: x\r\nCookie: a=1\r\nCookie: b=2\r\n"
            b"X-Forwarded-Proto: http\r\nX_Forwarded_Proto: https\r\nConnection: close\r\n\r\n"
        )
    ) as connection:
        answer = connection.recv(1000)

    assert b"set-cookie: seen=1\r\n" in answer
    assert server.environ["PATH_INFO"] == "/caf\xc3\xa9/\xff"
    assert server.environ["QUERY_STRING"] == "q=%20"
    assert server.environ["HTTP_COOKIE"] == "a=1; b=2"
    assert server.environ["HTTP_X_FORWARDED_PROTO"] == "http"
    assert server.environ["REMOTE_ADDR"] == "127.0.0.1"


def _raw(server: Server, *sent: bytes) -> bytes:
    """Return all that comes until the server closes the connection."""
    answer = b""
    with closing(server.connect(*sent)) as connection:
        while data := connection.recv(100_000):
            answer += data
    return answer


LARGE = b"%x\r\n%b\r\n" % (2 * SMALL_BYTES, 2 * SMALL_BYTES * b"x")  # a chunk
LAST = b"0\r\n\r\n"


def _chunked(path: str) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()


def test_many_silent_and_slow_clients_hold_up_neither_pages_nor_uploads(server: Server) -> None:
    part = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n" + 500 * b"x"
    beginnings = [b""] * 60 + [part] * 60 + [b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"] * 20
    slow = [server.connect(beginning) for beginning in beginnings]
    for _ in range(STREAM_THREADS):
        assert server.begun_streams.acquire(timeout=PATIENCE)

    page = _get(server)
    form = _get(server, content=b"x" * 10)
    upload = _get(server, content=b"x" * (3 * SMALL_BYTES))

    assert (page.text, form.text, upload.text) == ("0", "10", str(3 * SMALL_BYTES))
    for connection in slow:
        connection.close()


def test_readers_that_stop_reading_hold_up_no_other_reader(server: Server) -> None:
    request = b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"
    slow = [server.connect(request) for _ in range(10 * STREAM_THREADS)]
    for _ in slow:
        assert server.begun_streams.acquire(timeout=PATIENCE)

    download = _get(server, "/large")

    assert download.content == 50 * LARGE_PART
    for connection in slow:
        connection.close()
    assert server.is_stream_closed.wait(PATIENCE)


def test_a_download_of_many_small_chunks_is_sent_in_few_parts(server: Server) -> None:
    with httpx.stream("GET", f"{server.url}/rows", trust_env=False, timeout=PATIENCE) as answer:
        parts = list(answer.stream)

    assert b"".join(parts) == 50_000 * b"row\n"
    assert len(parts) < 20


def test_an_upload_whose_response_is_read_slowly_holds_no_other_up(server: Server) -> None:
    slow = [server.connect(_chunked("/stream"), LARGE) for _ in range(2 * BUSY_UPLOADS)]
    for _ in slow:
        assert server.begun_streams.acquire(timeout=PATIENCE)

    upload = _get(server, content=b"x" * (3 * SMALL_BYTES))

    assert upload.text == str(3 * SMALL_BYTES)
    for connection in slow:
        connection.close()


def test_the_response_to_an_upload_ends_when_its_reader_leaves(server: Server) -> None:
    connection = server.connect(_chunked("/stream-after-body"), LARGE, LAST)
    assert server.begun_streams.acquire(timeout=PATIENCE)

    connection.close()

    assert server.is_stream_closed.wait(PATIENCE)


def test_a_stop_ends_transfers_whose_clients_are_silent(server: Server) -> None:
    slow = [server.connect(_chunked("/"), LARGE), server.connect(b"GET /stream HTTP/1.0\r\n\r\n")]
    assert server.begun_streams.acquire(timeout=PATIENCE)

    server.stop()

    assert server.is_stream_closed.wait(PATIENCE)
    for connection in slow:
        connection.close()


def test_an_error_of_the_application_is_logged_and_never_looks_complete(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    # A server that another test started in this process may have asked for fewer messages.
    caplog.set_level(logging.ERROR, "uvicorn.error")
    page = b" HTTP/1.1\r\nHost: x\r\n\r\n"
    # A connection is reset if it ends before the server has read all that was sent.
    upload = _chunked("").removeprefix(b"POST ") + LARGE[: SMALL_BYTES + 20]
    for kind in (b"GET ", b"POST "):
        rest = page if kind == b"GET " else upload
        for path in (b"/raises", b"/never-starts"):
            assert _raw(server, kind, path, rest).startswith(b"HTTP/1.1 500"), path
        for path in (b"/raises-in-its-body", b"/raises-in-its-stream", b"/says-a-wrong-length"):
            answer = _raw(server, kind, path, rest)
            is_cut_off = not answer.endswith(b"0\r\n\r\n")
            assert is_cut_off or answer.startswith(b"HTTP/1.1 500"), path

    assert caplog.text.count("Exception in ASGI application") == 10
    assert _get(server).text == "0"
    for _ in range(6):  # five uploads and a stream
        assert server.ended_transfers.acquire(timeout=PATIENCE)


def test_a_response_without_a_body_ends_with_its_head(server: Server) -> None:
    for request in (b"GET /204", b"GET /304", b"HEAD /stream", b"HEAD /says-a-wrong-length"):
        answer = _raw(server, request, b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert answer.endswith(b"\r\n\r\n"), request
        assert answer.count(b"\r\n\r\n") == 1, request


def test_a_small_body_that_never_comes_is_answered_408(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("config.wsgi_bridge.SILENCE_SECONDS", 0.01)

    answer = _raw(server, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc")

    assert answer.startswith(b"HTTP/1.1 408")
    assert answer.endswith(b"The body did not come in time.")
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_a_client_is_told_to_go_on_only_if_its_body_is_wanted(server: Server) -> None:
    length = SMALL_BYTES + 1
    head = f"HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"

    for path, status in (("/", b"HTTP/1.1 100"), ("/refused", b"HTTP/1.1 413")):
        with closing(server.connect(f"POST {path} {head}".encode())) as connection:
            assert connection.recv(1000).startswith(status)


def test_odd_requests_reach_the_application_as_http_means_them(server: Server) -> None:
    _raw(server, b"GET http://y/a%2Fb?c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert (server.environ["PATH_INFO"], server.environ["QUERY_STRING"]) == ("/a/b", "c")

    chunks = b"2\r\nab\r\n0\r\n\r\n"
    head = _chunked("/").replace(b"Host", b"Connection: close\r\nContent-Length: 1\r\nHost")
    answer = _raw(server, head, chunks)

    assert answer.endswith(b"\r\n\r\n2")
    assert server.environ["CONTENT_LENGTH"] == "2"
    assert "HTTP_TRANSFER_ENCODING" not in server.environ


def test_a_large_body_in_chunks_has_no_length_and_ends_with_its_last_chunk(server: Server) -> None:
    head = _chunked("/").replace(b"Host", b"Connection: close\r\nHost")

    answer = _raw(server, head, LARGE, LARGE, LAST)

    assert answer.endswith(str(4 * SMALL_BYTES).encode())
    assert "CONTENT_LENGTH" not in server.environ
    assert server.environ["HTTP_TRANSFER_ENCODING"] == "chunked"
    assert server.environ["wsgi.input_terminated"]


def test_a_body_in_chunks_that_breaks_off_never_reaches_its_end(server: Server) -> None:
    for end in (b"9\r\nabc", b"seven\r\n", b"-1\r\n", b"0\r\nX"):
        with closing(server.connect(_chunked("/"), LARGE, end)) as connection:
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(1000):
                pass
        assert server.ended_transfers.acquire(timeout=PATIENCE)
        assert isinstance(server.errors.pop(), ClientGone), end

"""Providers that answer, or listen, as slowly as a timeout of each read allows."""

import io
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import SimpleNamespace

import pytest

from batchapp.providers import network
from batchapp.providers.errors import ProviderUnavailable
from tests.doubleword import connect, connect_management
from tests.providers.doubles import NOW
from tests.providers.test_http import receive, receive_head

PAUSE = 0.03  # between two bytes
LIMIT = 1.0  # seconds of a call in these tests
MUCH_LATER = 30.0  # the provider would go on for longer

OK = b"HTTP/1.1 200 OK\r\n"


@contextmanager
def serving_all(script: Callable[[socket.socket], None]) -> Iterator[str]:
    """Run ``script`` for each connection, in a thread of its own."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                script(self.request)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def drip(connection: socket.socket, content: bytes) -> None:
    """Send ``content`` byte by byte, and then spaces, until the client hangs up."""
    end = time.monotonic() + 2 * MUCH_LATER
    for byte in content:
        connection.sendall(bytes([byte]))
        time.sleep(PAUSE)
    while time.monotonic() < end:
        connection.sendall(b" ")
        time.sleep(PAUSE)


def dripping(at_once: bytes, slowly: bytes = b"") -> Callable[[socket.socket], None]:
    def script(connection: socket.socket) -> None:
        receive_head(connection)
        connection.sendall(at_once)
        drip(connection, slowly)

    return script


@pytest.fixture
def let_time_pass(monkeypatch) -> Callable[[float], None]:
    """Set the clock of the calls, and not of the sockets, ahead by some seconds."""
    passed = []

    def let(seconds: float) -> None:
        passed.append(seconds)

    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + sum(passed))
    monkeypatch.setattr(network, "time", clock)
    return let


@contextmanager
def ends_soon() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < MUCH_LATER


@pytest.mark.parametrize(
    "script",
    [
        dripping(b"", OK + b"Content-Length: 11\r\n\r\n"),
        dripping(OK, b"X-Long: " + b"x" * 1000),
        dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        dripping(OK + b"Content-Length: 1000000\r\n\r\n"),
        dripping(OK + b"\r\n"),
        dripping(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n" * 1000),
        dripping(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1;" + b"x" * 1000),
        dripping(b"HTTP/1.1 500 No\r\nContent-Length: 1000000\r\n\r\n"),
    ],
    ids=[
        *("status line", "header", "continue", "body", "body without length", "chunks"),
        *("size of a chunk", "error"),
    ],
)
def test_an_answer_that_drips_ends_with_the_time_of_the_call(script):
    with (
        ends_soon(),
        serving_all(script) as url,
        connect(url, "sk-x", timeout_seconds=LIMIT) as client,
        pytest.raises(ProviderUnavailable),
    ):
        client.list_models()


def test_a_create_that_drips_may_have_created_a_batch():
    script = dripping(b"HTTP/1.1 201 Created\r\nContent-Length: 1000\r\n\r\n")

    with (
        ends_soon(),
        serving_all(script) as url,
        connect(url, "sk-x", timeout_seconds=LIMIT) as client,
        pytest.raises(ProviderUnavailable, match="did not answer in time") as caught,
    ):
        client.create_batch("f", endpoint="/v1/x", window="24h", metadata={})

    assert caught.value.maybe_done


def test_a_handshake_that_drips_ends_with_the_time_of_the_call():
    def script(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"\x16\x03\x03\x40\x00")
        drip(connection, b"\x02" * 1000)

    with (
        ends_soon(),
        serving_all(script) as url,
        connect(url.replace("http:", "https:"), "sk-x", timeout_seconds=LIMIT) as client,
        pytest.raises(ProviderUnavailable, match="could not connect in time") as caught,
    ):
        client.list_models()

    assert not caught.value.maybe_done


def test_all_addresses_of_a_host_share_the_time_for_a_connection(monkeypatch):
    silent = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"192.0.2.{n}", 80)) for n in range(20)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: silent)
    waited = []

    def wait(self, address, port, timeout, **options):
        waited.append(timeout)
        time.sleep(timeout)
        raise network.httpcore.ConnectTimeout

    monkeypatch.setattr(network.httpcore.SyncBackend, "connect_tcp", wait)

    with (
        ends_soon(),
        connect("http://many.test", "sk-x", timeout_seconds=LIMIT) as client,
        pytest.raises(ProviderUnavailable, match="could not connect in time"),
    ):
        client.list_models()

    assert len(waited) == 20
    assert sum(waited) <= 1.5 * LIMIT


def test_a_host_is_reached_by_the_address_that_answers(monkeypatch):
    script = dripping(OK + b'Content-Length: 11\r\n\r\n{"data":[]}')
    with serving_all(script) as url:
        port = int(url.rpartition(":")[2])
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in ("127.0.0.2", "127.0.0.1")
        ]
        resolve = socket.getaddrinfo

        def look_up(host, *args, **options):
            return found if host == "two.test" else resolve(host, *args, **options)

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        with connect(f"http://two.test:{port}", "sk-x") as client:
            assert client.list_models() == []


def test_a_session_has_one_time_for_all_its_calls(let_time_pass):
    def script(connection: socket.socket) -> None:
        while True:
            receive_head(connection)
            connection.sendall(OK + b'Content-Length: 11\r\n\r\n{"data":[]}')

    with (
        ends_soon(),
        serving_all(script) as url,
        connect(url, "sk-x", timeout_seconds=60, session_seconds=100) as client,
    ):
        assert client.list_models() == []
        let_time_pass(100)
        with pytest.raises(ProviderUnavailable):
            client.list_models()


@pytest.mark.parametrize(
    ("opened", "listing"),
    [
        (connect, lambda client: client.find_batches("a", "x", since=NOW)),
        (connect_management, lambda client: client.list_tariffs()),
    ],
    ids=["batches", "tariffs"],
)
def test_a_list_without_end_has_the_time_of_one_slow_call(opened, listing):
    pages = []

    def script(connection: socket.socket) -> None:
        while True:
            receive_head(connection)
            time.sleep(0.1 if len(pages) > 1 else 0)
            pages.append(1)
            row = b'{"id":"b%d","alias":"m%d","metadata":{"a":"b"}}' % (len(pages), len(pages))
            body = b'{"data":[%s],"has_more":true,"total_count":999999}' % row
            connection.sendall(OK + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    with (
        ends_soon(),
        serving_all(script) as url,
        opened(url, "sk-x", timeout_seconds=2 * LIMIT) as client,
        pytest.raises(ProviderUnavailable),
    ):
        listing(client)

    assert len(pages) > 1


def read_lines(client) -> list[bytes]:
    lines = []
    with client.open_content("out") as content, pytest.raises(ProviderUnavailable):
        lines.extend(content.lines())
    return lines


def test_a_result_file_that_crawls_is_given_up_and_its_lines_are_kept(monkeypatch):
    monkeypatch.setattr(network, "WINDOW_SECONDS", LIMIT)
    script = dripping(OK + b"\r\n" + b'{"a":1}\n', b'{"b":2}\n')

    with ends_soon(), serving_all(script) as url, connect(url, "sk-x") as client:
        lines = read_lines(client)

    assert lines[:1] == [b'{"a":1}']


def test_a_result_file_may_take_longer_than_a_call_but_not_for_ever(monkeypatch):
    monkeypatch.setattr(network, "WINDOW_SECONDS", LIMIT)
    monkeypatch.setattr(network, "MIN_WINDOW_BYTES", 1)
    monkeypatch.setattr("batchapp.providers.http.DOWNLOAD_SECONDS", 4 * LIMIT)

    def script(connection: socket.socket) -> None:
        receive_head(connection)
        connection.sendall(OK + b"\r\n")
        while True:
            connection.sendall(b'{"a":1}\n')
            time.sleep(0.02)

    began = time.monotonic()
    with (
        ends_soon(),
        serving_all(script) as url,
        connect(url, "sk-x", timeout_seconds=2 * LIMIT) as client,
    ):
        assert len(read_lines(client)) > 2

    assert time.monotonic() - began > 2 * LIMIT


def test_a_result_file_is_not_given_up_while_its_reader_works(let_time_pass):
    def script(connection: socket.socket) -> None:
        receive_head(connection)
        connection.sendall(OK + b"Content-Length: 16\r\n\r\n" + b'{"a":1}\n')
        time.sleep(0.05)
        connection.sendall(b'{"b":2}\n')

    lines = []
    with (
        serving_all(script) as url,
        connect(url, "sk-x") as client,
        client.open_content("out") as content,
    ):
        for line in content.lines():
            lines.append(line)
            let_time_pass(2 * network.DOWNLOAD_SECONDS)

    assert lines == [b'{"a":1}', b'{"b":2}']


def test_a_silent_result_file_is_given_up():
    def script(connection: socket.socket) -> None:
        receive_head(connection)
        connection.sendall(OK + b"\r\n")
        time.sleep(2 * MUCH_LATER)

    with (
        ends_soon(),
        serving_all(script) as url,
        connect(url, "sk-x", timeout_seconds=LIMIT) as client,
    ):
        assert read_lines(client) == []


def upload(client, size: int = 60_000_000) -> None:
    client.upload_file(io.BytesIO(b"x" * size), name="big.jsonl")


@pytest.mark.parametrize("is_silent", [False, True])
def test_an_upload_that_nobody_or_hardly_anybody_reads_is_given_up(monkeypatch, is_silent):
    monkeypatch.setattr(network, "WINDOW_SECONDS", LIMIT)
    monkeypatch.setattr(network, "MIN_WINDOW_BYTES", 100_000_000)

    def script(connection: socket.socket) -> None:
        receive_head(connection)
        end = time.monotonic() + 2 * MUCH_LATER
        while time.monotonic() < end:
            time.sleep(PAUSE)
            if not is_silent:
                receive(connection)

    with (
        ends_soon(),
        serving_all(script) as url,
        connect(url, "sk-x", timeout_seconds=LIMIT if is_silent else 60) as client,
        pytest.raises(ProviderUnavailable) as caught,
    ):
        upload(client)

    assert caught.value.maybe_done


def test_an_upload_may_take_longer_than_a_call_and_so_may_its_answer():
    def script(connection: socket.socket) -> None:
        head, _, body = receive_head(connection).partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        received = len(body)
        while received < length:
            time.sleep(0.01)
            received += len(receive(connection, 1024 * 1024))
        time.sleep(3 * LIMIT)
        connection.sendall(b'HTTP/1.1 201 Created\r\nContent-Length: 10\r\n\r\n{"id":"f"}')

    began = time.monotonic()
    with serving_all(script) as url, connect(url, "sk-x", timeout_seconds=2 * LIMIT) as client:
        upload(client, 20_000_000)

    assert time.monotonic() - began > 2 * LIMIT


def test_the_answer_to_an_upload_ends_with_the_time_of_a_slow_call():
    def script(connection: socket.socket) -> None:
        receive_head(connection)
        drip(connection, b"HTTP/1.1 201 Created\r\n")

    with (
        ends_soon(),
        serving_all(script) as url,
        connect(url, "sk-x", timeout_seconds=LIMIT) as client,
        pytest.raises(ProviderUnavailable, match="did not answer in time"),
    ):
        upload(client, 10)


def test_two_files_and_an_upload_fit_into_the_time_of_a_task(settings):
    assert 2 * network.DOWNLOAD_SECONDS < settings.CELERY_TASK_TIME_LIMIT
    assert network.UPLOAD_SECONDS + 5 * 60 < settings.CELERY_TASK_TIME_LIMIT

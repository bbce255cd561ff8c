"""Providers that answer, or listen, as slowly as a timeout of each read allows."""

import io
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, repeat

import pytest

from batchapp.providers import http, network, tariffs
from batchapp.providers.errors import ProviderUnavailable
from tests.doubleword import connect, connect_management
from tests.providers.doubles import NOW
from tests.providers.test_http import receive, receive_all, receive_head

PAUSE = 0.03  # between two bytes
LIMIT = 1.0  # seconds of a call that cannot succeed
SILENCE = 5.0  # seconds of a call that must begin, also on a busy machine, and then hears nothing

BYTES_PER_SECOND = 100_000  # at which a provider receives an upload slowly, but well enough

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
    for byte in chain(content, repeat(ord(" "))):
        connection.sendall(bytes([byte]))
        time.sleep(PAUSE)


def dripping(at_once: bytes, slowly: bytes = b"") -> Callable[[socket.socket], None]:
    def script(connection: socket.socket) -> None:
        receive_head(connection)
        connection.sendall(at_once)
        drip(connection, slowly)

    return script


class CallClock:
    """The clock of the calls, and not of the sockets, which only moves when a test says so."""

    def __init__(self) -> None:
        self.moment = 1000.0

    def monotonic(self) -> float:
        return self.moment

    def advance(self, seconds: float) -> None:
        self.moment += seconds


@pytest.fixture
def call_clock(monkeypatch) -> CallClock:
    clock = CallClock()
    for module in (network, http, tariffs):
        monkeypatch.setattr(module, "time", clock)
    return clock


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
        serving_all(script) as url,
        connect(url, "sk-x", timeout_seconds=LIMIT) as client,
        pytest.raises(ProviderUnavailable),
    ):
        client.list_models()


def test_a_create_that_drips_may_have_created_a_batch(call_clock):
    def script(connection: socket.socket) -> None:
        receive_all(connection)
        connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 1000\r\n\r\n")
        while True:
            call_clock.advance(50)
            connection.sendall(b" ")

    with (
        serving_all(script) as url,
        connect(url, "sk-x", timeout_seconds=60) as client,
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
        serving_all(script) as url,
        connect(url.replace("http:", "https:"), "sk-x", timeout_seconds=LIMIT) as client,
        pytest.raises(ProviderUnavailable, match="could not connect in time") as caught,
    ):
        client.list_models()

    assert not caught.value.maybe_done


def test_all_addresses_of_a_host_share_the_time_for_a_connection(monkeypatch, call_clock):
    silent = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"192.0.2.{n}", 80)) for n in range(20)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: silent)
    waited = []

    def wait(self, address, port, timeout, **options):
        waited.append(timeout)
        call_clock.advance(timeout)
        raise network.httpcore.ConnectTimeout

    monkeypatch.setattr(network.httpcore.SyncBackend, "connect_tcp", wait)

    with (
        connect("http://many.test", "sk-x", timeout_seconds=LIMIT) as client,
        pytest.raises(ProviderUnavailable, match="could not connect in time"),
    ):
        client.list_models()

    assert len(waited) == 20
    assert sum(waited) == pytest.approx(LIMIT)


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


def test_a_session_has_one_time_for_all_its_calls(call_clock):
    def script(connection: socket.socket) -> None:
        while True:
            receive_head(connection)
            connection.sendall(OK + b'Content-Length: 11\r\n\r\n{"data":[]}')

    with (
        serving_all(script) as url,
        connect(url, "sk-x", timeout_seconds=60, session_seconds=100) as client,
    ):
        assert client.list_models() == []
        call_clock.advance(100)
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
def test_a_list_without_end_has_the_time_of_one_slow_call(call_clock, opened, listing):
    pages = []

    def script(connection: socket.socket) -> None:
        while True:
            receive_head(connection)
            call_clock.advance(30 if len(pages) > 1 else 0)
            pages.append(1)
            row = b'{"id":"b%d","alias":"m%d","metadata":{"a":"b"}}' % (len(pages), len(pages))
            body = b'{"data":[%s],"has_more":true,"total_count":999999}' % row
            connection.sendall(OK + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    with (
        serving_all(script) as url,
        opened(url, "sk-x", timeout_seconds=60) as client,
        pytest.raises(ProviderUnavailable),
    ):
        listing(client)

    assert len(pages) > 60 / 30


def read_lines(client, is_read: threading.Semaphore | None = None) -> list[bytes]:
    """Return the lines until the client gives up, and release ``is_read`` after each of them."""
    lines = []

    def keep(line: bytes) -> None:
        lines.append(line)
        if is_read:
            is_read.release()

    with client.open_content("out") as content, pytest.raises(ProviderUnavailable):
        any(map(keep, content.lines()))
    return lines


def test_a_result_file_that_crawls_is_given_up_and_its_lines_are_kept(call_clock):
    is_read = threading.Semaphore(0)

    def script(connection: socket.socket) -> None:
        receive_head(connection)
        connection.sendall(OK + b"\r\n" + b'{"a":1}\n')
        is_read.acquire()
        while True:
            call_clock.advance(5)
            connection.sendall(b" ")
            time.sleep(PAUSE)

    with serving_all(script) as url, connect(url, "sk-x") as client:
        lines = read_lines(client, is_read)

    assert lines == [b'{"a":1}']


def test_a_result_file_may_take_longer_than_a_call_but_not_for_ever(monkeypatch, call_clock):
    monkeypatch.setattr(network, "MIN_WINDOW_BYTES", 1)
    is_read = threading.Semaphore(0)

    def script(connection: socket.socket) -> None:
        receive_head(connection)
        connection.sendall(OK + b"\r\n")
        while True:
            connection.sendall(b'{"a":1}\n')
            is_read.acquire()
            call_clock.advance(10)

    with serving_all(script) as url, connect(url, "sk-x", timeout_seconds=60) as client:
        lines = read_lines(client, is_read)

    assert len(lines) >= network.DOWNLOAD_SECONDS / 10 > 60 / 10


def test_a_result_file_is_not_given_up_while_its_reader_works(call_clock):
    is_read = threading.Event()

    def script(connection: socket.socket) -> None:
        receive_head(connection)
        connection.sendall(OK + b"Content-Length: 16\r\n\r\n" + b'{"a":1}\n')
        is_read.wait()
        connection.sendall(b'{"b":2}\n')

    lines = []
    with (
        serving_all(script) as url,
        connect(url, "sk-x") as client,
        client.open_content("out") as content,
    ):
        for line in content.lines():
            lines.append(line)
            call_clock.advance(2 * network.DOWNLOAD_SECONDS)
            is_read.set()

    assert lines == [b'{"a":1}', b'{"b":2}']


def test_a_silent_result_file_is_given_up():
    def script(connection: socket.socket) -> None:
        receive_head(connection)
        connection.sendall(OK + b"\r\n")
        receive(connection)  # until the client hangs up

    with serving_all(script) as url, connect(url, "sk-x", timeout_seconds=SILENCE) as client:
        assert read_lines(client) == []


def upload(client, size: int = 60_000_000) -> None:
    client.upload_file(io.BytesIO(b"x" * size), name="big.jsonl")


@pytest.mark.parametrize("is_silent", [False, True])
def test_an_upload_that_nobody_or_hardly_anybody_reads_is_given_up(monkeypatch, is_silent):
    monkeypatch.setattr(network, "WINDOW_SECONDS", LIMIT)
    monkeypatch.setattr(network, "MIN_WINDOW_BYTES", 100_000_000)
    given_up = threading.Event()

    def script(connection: socket.socket) -> None:
        receive_head(connection)
        while not given_up.is_set():
            time.sleep(PAUSE)
            if not is_silent:
                receive(connection)

    with (
        serving_all(script) as url,
        connect(url, "sk-x", timeout_seconds=SILENCE if is_silent else 60) as client,
        pytest.raises(ProviderUnavailable) as caught,
    ):
        upload(client)
    given_up.set()

    assert caught.value.maybe_done


def test_an_upload_may_take_longer_than_a_call_and_so_may_its_answer(call_clock):
    def script(connection: socket.socket) -> None:
        head, _, body = receive_head(connection).partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        received = len(body)
        while received < length:
            piece = receive(connection, 1024 * 1024)
            received += len(piece)
            call_clock.advance(len(piece) / BYTES_PER_SECOND)
        call_clock.advance(100)
        connection.sendall(b'HTTP/1.1 201 Created\r\nContent-Length: 10\r\n\r\n{"id":"f"}')

    with serving_all(script) as url, connect(url, "sk-x", timeout_seconds=60) as client:
        upload(client, 100 * BYTES_PER_SECOND)

    assert call_clock.moment - CallClock().moment == pytest.approx(200, abs=1)


def test_the_answer_to_an_upload_ends_with_the_time_of_a_slow_call(call_clock):
    def script(connection: socket.socket) -> None:
        receive_all(connection)
        for byte in chain(b"HTTP/1.1 201 Created\r\n", repeat(ord(" "))):
            call_clock.advance(50)
            connection.sendall(bytes([byte]))

    with (
        serving_all(script) as url,
        connect(url, "sk-x", timeout_seconds=60) as client,
        pytest.raises(ProviderUnavailable, match="did not answer in time"),
    ):
        upload(client, 10)


def test_two_files_and_an_upload_fit_into_the_time_of_a_task(settings):
    assert 2 * network.DOWNLOAD_SECONDS < settings.CELERY_TASK_TIME_LIMIT
    assert network.UPLOAD_SECONDS + 5 * 60 < settings.CELERY_TASK_TIME_LIMIT

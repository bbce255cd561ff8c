"""Behaviour that only a real socket shows."""

import io
import re
import socket
import tracemalloc

import pytest

from batchapp.providers.errors import ProviderRejected, ProviderUnavailable, Reason
from tests.doubleword import connect

CREATE = {"endpoint": "/v1/chat/completions", "window": "24h", "metadata": {}}
LINE = b'{"id":"batch_req_1","custom_id":"a"}\n'


def receive(connection: socket.socket, size: int = 65536) -> bytes:
    """Return the next bytes.

    Raises:
        ConnectionError: the client has hung up; a thread that read on would never end.
    """
    received = connection.recv(size)
    if not received:
        raise ConnectionError("the client has hung up")
    return received


def receive_head(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        head += receive(connection)
    return head


def receive_all(connection: socket.socket) -> bytes:
    head, _, body = receive_head(connection).partition(b"\r\n\r\n")
    length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
    while len(body) < length:
        body += receive(connection)
    return head + b"\r\n\r\n" + body


def answering(answer: bytes):
    def script(connection: socket.socket) -> None:
        receive_head(connection)
        connection.sendall(answer)

    return script


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + LINE + LINE[:9],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2e\r\n" + LINE + LINE[:9] + b"\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + LINE + LINE[:9],
    ],
    ids=["announced length", "chunked", "ends by closing"],
)
def test_a_cut_transfer_is_never_taken_as_complete(on_socket, answer):
    lines = []

    with (
        on_socket(answering(answer)) as url,
        connect(url, "sk-x") as client,
        client.open_content("out") as content,
        pytest.raises(ProviderUnavailable),
    ):
        lines.extend(content.lines())

    assert lines == [LINE.strip()]


def test_a_refused_connection_changed_nothing():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with (
        connect(f"http://127.0.0.1:{port}", "sk-x") as client,
        pytest.raises(ProviderUnavailable, match="could not connect") as caught,
    ):
        client.create_batch("f", **CREATE)

    assert not caught.value.maybe_done


def test_an_unknown_host_changed_nothing():
    with (
        connect("http://no-such-host.invalid", "sk-x") as client,
        pytest.raises(ProviderUnavailable, match="could not connect") as caught,
    ):
        client.create_batch("f", **CREATE)

    assert not caught.value.maybe_done


def test_after_a_timeout_the_batch_may_exist(on_socket):
    def script(connection: socket.socket) -> None:
        receive_head(connection)
        while connection.recv(65536):  # until the client hangs up
            pass

    with (
        on_socket(script) as url,
        connect(url, "sk-x", timeout_seconds=0.02) as client,
        pytest.raises(ProviderUnavailable, match="did not answer in time") as caught,
    ):
        client.create_batch("f", **CREATE)

    assert caught.value.maybe_done


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 201 Created\r\nContent-Length: 99\r\n\r\n{", b"SSH-2.0-OpenSSH\r\n"],
    ids=["hangs up", "half an answer", "another protocol"],
)
def test_after_a_broken_answer_the_batch_may_exist(on_socket, answer):
    with (
        on_socket(answering(answer)) as url,
        connect(url, "sk-x") as client,
        pytest.raises(ProviderUnavailable) as caught,
    ):
        client.create_batch("f", **CREATE)

    assert caught.value.maybe_done


def test_a_rejection_during_the_upload_is_read(on_socket):
    def script(connection: socket.socket) -> None:
        receive_head(connection)
        connection.sendall(b"HTTP/1.1 413 Too Big\r\nContent-Length: 4\r\n\r\nHuge")
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):  # so that the kernel does not reset the connection
            pass

    with (
        on_socket(script) as url,
        connect(url, "sk-x") as client,
        pytest.raises(ProviderRejected, match="Huge") as caught,
    ):
        client.upload_file(io.BytesIO(b"x" * 3_000_000), name="big.jsonl")

    assert caught.value.reason is Reason.TOO_LARGE


def test_a_large_upload_takes_little_memory(on_socket, tmp_path):
    size = 60 * 1024 * 1024
    received = []

    def script(connection: socket.socket) -> None:
        head, _, body = receive_head(connection).partition(b"\r\n\r\n")
        length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
        count = len(body)
        while count < length:
            count += len(receive(connection))
        received.append(length)
        connection.sendall(b'HTTP/1.1 201 Created\r\nContent-Length: 10\r\n\r\n{"id":"f"}')

    path = tmp_path / "large.jsonl"
    with path.open("wb") as file:
        file.truncate(size)

    with on_socket(script) as url, connect(url, "sk-x") as client, path.open("rb") as content:
        tracemalloc.start()
        client.upload_file(content, name="large.jsonl")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

    assert received[0] > size
    assert peak < 4 * 1024 * 1024


def test_the_key_does_not_follow_a_redirect(on_socket):
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(0.1)
        target = f"http://127.0.0.1:{other.getsockname()[1]}/"
        answer = f"HTTP/1.1 307 Moved\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n"

        with (
            on_socket(answering(answer.encode())) as url,
            connect(url, "sk-x") as client,
            pytest.raises(ProviderUnavailable, match="redirects to"),
        ):
            client.list_models()

        with pytest.raises(TimeoutError):
            other.accept()


def test_proxies_of_the_environment_are_not_used(on_socket, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    answer = b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"data":[]}'

    with on_socket(answering(answer)) as url, connect(url, "sk-x") as client:
        assert client.list_models() == []

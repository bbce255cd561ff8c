"""What comes of a message at receivers that behave well, badly, or are not there."""

import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address, ip_network
from itertools import chain, repeat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from httpcore._backends.sync import SyncStream

from batchapp.domain.webhooks.attempts import AttemptError
from batchapp.outbound.sender import MAX_ANSWER_BYTES, Outcome, Sender
from batchapp.providers import network
from tests.outbound.receiver import Receiver, answering, receiving

LOOPBACK = [ip_network("127.0.0.0/8")]
SHORT = 0.4  # seconds of an attempt at a receiver that takes longer in any case
LONG = 120.0  # seconds of every other attempt, and of a wait for a receiver, on a busy machine
PAUSE = 0.02  # between two bytes of a receiver that drips


def post(url: str, body: bytes = b"{}", **options: Any) -> Outcome:
    """Send to a receiver on this machine, which the operator has allowed."""
    options = {"total_seconds": LONG} | options
    with Sender(options.pop("networks", LOOPBACK), **options) as sender:
        return sender.post(url, body, {"webhook-id": "msg_1"})


def drip(connection: socket.socket, content: Iterable[int]) -> None:
    """Send byte by byte, at most until the client hangs up."""
    for byte in content:
        connection.sendall(bytes([byte]))
        time.sleep(PAUSE)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def test_a_message_arrives_as_it_was_given_with_its_headers(receiver: Receiver) -> None:
    outcome = post(receiver.url + "?token=1", '{"name": "Größe"}'.encode())

    ((headers, body),) = receiver.received
    assert outcome.is_delivered
    assert (outcome.status, outcome.answer) == (200, "ok")
    assert body == '{"name": "Größe"}'.encode()
    assert headers[":path"] == "/hook?token=1"
    assert headers["content-type"] == "application/json"
    assert headers["webhook-id"] == "msg_1"
    assert headers["user-agent"].startswith("batchapp/")
    assert "authorization" not in headers


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_status_of_success_delivers(receiver: Receiver, status: int) -> None:
    receiver.status, receiver.body = status, b""

    assert post(receiver.url).is_delivered


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (301, AttemptError.REDIRECTED),
        (307, AttemptError.REDIRECTED),
        (304, AttemptError.REDIRECTED),
        (400, AttemptError.REFUSED),
        (404, AttemptError.REFUSED),
        (410, AttemptError.GONE),
        (429, AttemptError.REFUSED),
        (500, AttemptError.REFUSED),
        (503, AttemptError.REFUSED),
    ],
)
def test_every_other_status_is_an_error_with_the_beginning_of_the_answer(
    receiver: Receiver, status: int, error: AttemptError
) -> None:
    receiver.status, receiver.body = status, b"" if status == 304 else b"no, thanks"

    outcome = post(receiver.url)

    assert (outcome.status, outcome.error) == (status, error)
    assert outcome.answer == receiver.body.decode()


def test_a_redirect_is_not_followed_also_where_it_leads_to_itself(receiver: Receiver) -> None:
    receiver.status, receiver.headers = 302, {"Location": receiver.url}

    outcome = post(receiver.url)

    assert outcome.error == AttemptError.REDIRECTED
    assert len(receiver.received) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_into_the_own_network_reaches_nobody_there(
    receiver: Receiver, status: int
) -> None:
    with receiving() as inside:
        receiver.status, receiver.headers = status, {"Location": inside.url}

        outcome = post(receiver.url)

    assert (outcome.status, outcome.error) == (status, AttemptError.REDIRECTED)
    assert inside.connections == 0


@pytest.mark.parametrize(
    "location",
    [
        *("http://[", "http://exa mple/", "//", "http://:99999/", "\xff\xfe", "x" * 50_000),
        *("data:,", "mailto:ada@example.com", "http://xn--2xh/", "http://xn--/"),
    ],
)
def test_a_redirect_to_what_is_no_address_is_an_error_like_any_other(
    receiver: Receiver, location: str
) -> None:
    receiver.status, receiver.headers = 302, {"Location": location}

    outcome = post(receiver.url)

    assert outcome.error in {AttemptError.REDIRECTED, AttemptError.BROKE_OFF}
    assert len(receiver.received) == 1


def test_of_an_answer_of_five_gigabytes_the_receiver_gets_rid_of_a_few_buffers() -> None:
    sent, is_over = 0, threading.Event()

    def pour(connection: socket.socket) -> None:
        nonlocal sent
        try:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5000000000\r\n\r\n")
            while sent < 5_000_000_000:
                sent += connection.send(b"g" * 65_536)
        finally:
            is_over.set()

    with answering(pour) as url:
        outcome = post(url)
        assert is_over.wait(LONG)

    assert outcome.is_delivered
    assert outcome.answer == "g" * MAX_ANSWER_BYTES
    assert sent < 50_000_000


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; expires=\x80\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 500_000 + b"\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,
        b"\r\n" * 1000,
        b"",
    ],
)
def test_no_answer_stops_the_worker(said: bytes) -> None:
    with answering(lambda connection: connection.sendall(said)) as url:
        outcome = post(url)

    assert isinstance(outcome, Outcome)
    assert outcome.is_delivered == (outcome.status == 200)


def test_of_a_huge_answer_only_the_beginning_is_read(receiver: Receiver) -> None:
    receiver.body = b"x" * 50_000_000

    outcome = post(receiver.url)

    assert outcome.is_delivered
    assert outcome.answer == "x" * MAX_ANSWER_BYTES


def test_an_answer_that_is_no_text_is_kept_without_what_a_database_refuses(
    receiver: Receiver,
) -> None:
    receiver.body = b"\x00\xff\xc3\x28"

    assert post(receiver.url).answer == "\ufffd\ufffd\ufffd("


def test_a_receiver_that_says_nothing_ends_with_the_time_of_the_attempt() -> None:
    def listen(connection: socket.socket) -> None:
        while connection.recv(65536):
            pass

    with answering(listen) as url:
        outcome = post(url, total_seconds=SHORT)

    assert outcome.error == AttemptError.TOO_SLOW
    assert outcome.status is None
    assert outcome.milliseconds > SHORT * 900


def test_a_head_that_drips_ends_with_the_time_of_the_attempt() -> None:
    head = chain(b"HTTP/1.1 200 OK\r\nX-Long: ", repeat(ord("x")))

    with answering(lambda connection: drip(connection, head)) as url:
        assert post(url, total_seconds=SHORT).error == AttemptError.TOO_SLOW


def test_a_body_that_drips_after_a_success_does_not_undo_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds, read = [0.0], SyncStream.read

    def slow_read(stream: SyncStream, size: int, timeout: float | None = None) -> bytes:
        seconds.append(20.0)
        return read(stream, size, timeout)

    def script(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        drip(connection, repeat(ord("z")))

    monkeypatch.setattr(SyncStream, "read", slow_read)
    monkeypatch.setattr(network, "time", SimpleNamespace(monotonic=lambda: sum(seconds)))

    with answering(script) as url:
        outcome = post(url, total_seconds=100)

    assert outcome.is_delivered
    assert len(seconds) == 1 + 100 / 20
    assert set(outcome.answer) <= {"z"}


def test_a_receiver_that_hangs_up_has_not_taken_the_message() -> None:
    with answering(lambda connection: connection.close()) as url:
        assert post(url).error == AttemptError.BROKE_OFF
    with answering(lambda connection: connection.sendall(b"SSH-2.0-OpenSSH\r\n")) as url:
        assert post(url).error == AttemptError.BROKE_OFF


def test_nobody_listens_at_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    assert post(f"http://127.0.0.1:{port}/").error == AttemptError.NOT_CONNECTED


def test_a_host_without_an_address_is_told_from_a_host_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    outcome = post("https://nowhere.example/")

    assert outcome.error == AttemptError.NAME_UNKNOWN
    assert outcome.detail == "Name or service not known"


@pytest.mark.parametrize("text", ["ftp://example.com/", "https://ada:x@example.com/", ""])
def test_nothing_is_sent_to_what_is_no_plain_address(text: str) -> None:
    assert post(text).error == AttemptError.ADDRESS_INVALID


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "127.1", "0x7f000001", "2130706433"),
        *("[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254", "10.0.0.1"),
    ],
)
def test_a_private_address_is_refused_however_it_is_written(host: str) -> None:
    with receiving() as receiver:
        port = receiver.url.rpartition(":")[2].split("/")[0]
        outcome = post(f"https://{host}:{port}/", networks=[])

    assert outcome.error == AttemptError.ADDRESS_FORBIDDEN
    assert receiver.connections == 0


def test_plain_http_goes_to_networks_that_the_operator_allows_alone() -> None:
    networks = [ip_network("10.0.0.0/8")]

    assert post("http://8.8.8.8/", networks=networks).error == AttemptError.ADDRESS_FORBIDDEN
    assert post("http://8.8.8.8/", networks=[]).error == AttemptError.ADDRESS_INVALID


def name_server(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Answer look-ups with these addresses, one list after another; return the names asked for."""
    asked: list[str] = []
    remaining = list(answers)

    def look_up(host: str, port: int, *_: object, **__: object) -> list[Any]:
        asked.append(host)
        addresses = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        family = {4: socket.AF_INET, 6: socket.AF_INET6}
        return [
            (family[ip_address(each).version], socket.SOCK_STREAM, 6, "", (each, port))
            for each in addresses
        ]

    real = socket.getaddrinfo
    # The socket module also looks up a number, which is no question to a name server.
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *rest, **more: (
            look_up(host, *rest, **more)
            if str(host).endswith(".example")
            else real(host, *rest, **more)
        ),
    )
    return asked


def test_a_name_is_looked_up_once_and_the_checked_address_is_the_one_connected_to(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server may answer with an allowed address first, and with another one afterwards."""
    asked = name_server(monkeypatch, ["127.0.0.1"], ["10.0.0.1"])
    url = receiver.url.replace("127.0.0.1", "rebinding.example")

    outcome = post(url)

    assert outcome.is_delivered
    assert asked == ["rebinding.example"]
    assert receiver.received[0][0]["host"].startswith("rebinding.example:")


def test_a_name_with_one_private_address_among_public_ones_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name_server(monkeypatch, ["93.184.216.34", "127.0.0.1"])

    outcome = post("https://mixed.example/", networks=[])

    assert outcome.error == AttemptError.ADDRESS_FORBIDDEN


def certificate_for(name: str, folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return a server's and a client's context, with a certificate for ``name``."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = folder / "server.pem"
    path.write_bytes(private + pem)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cadata=pem.decode())


def test_the_certificate_must_be_for_the_name_though_the_address_is_connected_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, client = certificate_for("hooks.example", tmp_path)
    names: list[str | None] = []
    server.sni_callback = lambda _socket, name, _context: names.append(name)
    name_server(monkeypatch, ["127.0.0.1"])

    with receiving(server) as receiver:
        right = receiver.url.replace("127.0.0.1", "hooks.example")
        wrong = receiver.url.replace("127.0.0.1", "other.example")
        delivered = post(right, ssl_context=client)
        refused = post(wrong, ssl_context=client)
        untrusted = post(right)

    assert delivered.is_delivered
    assert (refused.error, untrusted.error) == (AttemptError.TLS_FAILED, AttemptError.TLS_FAILED)
    assert "other.example" in refused.detail
    assert names == ["hooks.example", "other.example", "hooks.example"]
    assert len(receiver.received) == 1


def test_a_proxy_of_the_environment_is_not_used(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert post(receiver.url).is_delivered


def test_messages_to_one_host_share_a_connection(receiver: Receiver) -> None:
    with Sender(LOOPBACK) as sender:
        for _ in range(5):
            assert sender.post(receiver.url, b"{}", {}).is_delivered

    assert receiver.connections == 1


@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [
        (429, "120", 120),
        (503, "0", 0),
        (503, "9" * 30, 999_999_999),
        (500, "120", None),
        (429, "soon", None),
        (429, "-5", None),
        (429, "Mon, 01 Jan 99999999999999 00:00:00 GMT", None),
        (503, "Mon, 01 Jan 2029 99999999999:00:00 GMT", None),
        (503, "Mon, 01 Jan 2029 00:00:00 +99999999999999999999", None),
    ],
)
def test_a_receiver_may_ask_for_a_wait(
    receiver: Receiver, status: int, header: str, seconds: int | None
) -> None:
    receiver.status, receiver.headers = status, {"Retry-After": header}

    outcome = post(receiver.url)

    asked = outcome.retry_after
    if seconds is None:
        assert asked is None
    else:
        assert asked == timedelta(seconds=min(seconds, 10**6))


def test_a_receiver_may_ask_for_a_wait_by_a_date(receiver: Receiver) -> None:
    moment = datetime.now(UTC) + timedelta(minutes=10)
    receiver.status, receiver.headers = 503, {"Retry-After": format_datetime(moment, usegmt=True)}

    asked = post(receiver.url).retry_after

    assert asked is not None
    assert timedelta(minutes=9) < asked <= timedelta(minutes=10)

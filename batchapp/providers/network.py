"""Connect to a provider with sockets that obey the time limits of the whole call.

A timeout of httpx limits each read by itself, so an answer of one byte a second never ends.
httpcore hands the ``timeout`` of a request to every connect, read and write; here it is a
``CallTimer``, which knows how long the call has lasted.
"""

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import httpcore
import httpx

# A file that is sent or received may take long, but not crawl. Only time spent waiting for the
# network counts, not our own work between two reads.
WINDOW_SECONDS = 60.0
MIN_WINDOW_BYTES = 64 * 1024  # per window; 1 KiB a second is slower than any modem
# Two result files with the work between them, or an upload with its answer, stay below the time
# limit of a task, so that a slow provider is an error and no killed worker.
DOWNLOAD_SECONDS = 800.0
UPLOAD_SECONDS = 1_200.0

WRITE_BYTES = 16 * 1024  # of one write, so that the time is checked in between


class CallTimer:
    """The time that one call may take, asked before each connect, read and write.

    A call has ``seconds`` in total, from connecting to the last byte of the answer. While a file
    is streamed, its rate is limited instead; ``seconds`` then are the longest silence.

    Args:
        seconds: of the whole call.
        connect_seconds: of these, for a connection.
        until: a moment of ``time.monotonic`` at which the call must have ended in any case.
    """

    def __init__(
        self, seconds: float, *, connect_seconds: float, until: float = float("inf")
    ) -> None:
        self._seconds = seconds
        self._connect_seconds = min(connect_seconds, seconds)
        self._until = until
        self._stream_left = float("inf")
        self._window_left, self._window_bytes = WINDOW_SECONDS, 0
        self._is_streaming = False
        self._ends_at = min(time.monotonic() + seconds, until)

    def start_stream(self, seconds: float) -> None:
        """Limit the rate from now on, and the time spent waiting to ``seconds``."""
        self._is_streaming = True
        self._ends_at, self._stream_left = self._until, seconds
        self._window_left, self._window_bytes = WINDOW_SECONDS, 0

    def end_stream(self, seconds: float) -> None:
        """Give the remaining call ``seconds`` in total from now on."""
        self._is_streaming = False
        self._ends_at = min(time.monotonic() + seconds, self._until)

    def as_timeouts(self) -> dict[str, Any]:
        """Return httpx's ``timeout`` extension."""
        return {"connect": self, "read": self, "write": self, "pool": self._connect_seconds}

    def left(self, error: type[Exception], *, is_connect: bool = False) -> float:
        """Return the seconds that the next step may take.

        Raises:
            error: the time is up.
        """
        left = self._ends_at - time.monotonic()
        if self._is_streaming:
            left = min(left, self._seconds, self._stream_left)
        if left <= 0:
            raise error("the time of the whole call is over")
        return min(left, self._connect_seconds) if is_connect else left

    def note(self, size: int, waited: float, error: type[Exception]) -> None:
        """Note that ``size`` bytes took ``waited`` seconds.

        Raises:
            error: a file is streamed too slowly.
        """
        if not self._is_streaming:
            return
        self._stream_left -= waited
        self._window_left -= waited
        self._window_bytes += size
        if self._window_left > 0:
            return
        if self._window_bytes < MIN_WINDOW_BYTES:
            raise error(f"fewer than {MIN_WINDOW_BYTES} bytes in {WINDOW_SECONDS:.0f} seconds")
        self._window_left, self._window_bytes = WINDOW_SECONDS, 0


CheckAddresses = Callable[[str, Sequence[str]], None]


class TimedTransport(httpx.HTTPTransport):
    """httpx's transport on sockets that obey a ``CallTimer``. Every request must carry one.

    ``check_addresses`` is called with each host and with its network addresses, and stops the
    request by raising. The connection then goes to these very addresses: the name is not looked up
    again. The certificate must still be for the name. ``ssl_context`` says whom to trust.
    """

    def __init__(
        self,
        check_addresses: CheckAddresses | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        context = ssl_context or httpx.create_ssl_context(trust_env=False)
        super().__init__(verify=context, trust_env=False)
        # httpx has no argument for the network backend.
        self._pool = httpcore.ConnectionPool(
            ssl_context=context,
            keepalive_expiry=5.0,
            network_backend=_TimedBackend(check_addresses),
        )


class _TimedBackend(httpcore.NetworkBackend):
    def __init__(self, check_addresses: CheckAddresses | None) -> None:
        self._backend = httpcore.SyncBackend()
        self._check_addresses = check_addresses

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: Any = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address that answers; all addresses share the time.

        The look-up of the name has no limit but the one of the system's resolver.
        """
        timer: CallTimer = timeout
        try:
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as exc:
            raise httpcore.ConnectError(str(exc)) from exc
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
        if self._check_addresses:
            self._check_addresses(host, addresses)
        connect_until = time.monotonic() + timer.left(httpcore.ConnectTimeout, is_connect=True)
        for number, address in enumerate(addresses):
            left = connect_until - time.monotonic()
            is_last = number == len(addresses) - 1
            try:
                stream = self._backend.connect_tcp(
                    address,
                    port,
                    timeout=max(left, 0.001) / (len(addresses) - number),
                    local_address=local_address,
                    socket_options=socket_options,
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if is_last:
                    raise
            else:
                return _TimedStream(stream)
        raise httpcore.ConnectError(f"no address for {host}")

    def sleep(self, seconds: float) -> None:
        self._backend.sleep(seconds)


class _TimedStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: Any = None) -> bytes:
        timer: CallTimer = timeout
        left, began = timer.left(httpcore.ReadTimeout), time.monotonic()
        received = self._stream.read(max_bytes, left)
        timer.note(len(received), time.monotonic() - began, httpcore.ReadTimeout)
        return received

    def write(self, buffer: bytes, timeout: Any = None) -> None:
        timer: CallTimer = timeout
        for start in range(0, len(buffer), WRITE_BYTES):
            piece = buffer[start : start + WRITE_BYTES]
            left, began = timer.left(httpcore.WriteTimeout), time.monotonic()
            self._stream.write(piece, left)
            timer.note(len(piece), time.monotonic() - began, httpcore.WriteTimeout)

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: Any = None
    ) -> httpcore.NetworkStream:
        # The socket module limits the whole handshake, and not each of its reads.
        left = timeout.left(httpcore.ConnectTimeout, is_connect=True)
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, left))

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class TimedUpload(httpx.SyncByteStream):
    """The body of an upload, whose rate is limited; then the answer has ``answer_seconds``."""

    def __init__(self, body: Any, timer: CallTimer, answer_seconds: float) -> None:
        self._body = body
        self._timer = timer
        self._answer_seconds = answer_seconds

    def __iter__(self) -> Iterator[bytes]:
        self._timer.start_stream(UPLOAD_SECONDS)
        yield from self._body
        self._timer.end_stream(self._answer_seconds)

    def close(self) -> None:
        self._body.close()

"""Many clients of a web server in one process, each on a connection of its own that stays open.

python -m tests.bench.load HOST:PORT poll CLIENTS EVERY SECONDS < requests.json
python -m tests.bench.load HOST:PORT idle CLIENTS SECONDS
python -m tests.bench.load HOST:PORT upload CLIENTS < request.json
python -m tests.bench.load HOST:PORT rush CLIENTS SECONDS < requests.json
python -m tests.bench.load HOST:PORT hold CLIENTS SECONDS < requests.json

The requests are objects with "path" and "headers", for an upload "body", the name of a file, and
for a rush or held streams "json", which is posted.
Each client sends back the ETag that it got, as browsers do. The result is one object of JSON.
"""

import asyncio
import json
import statistics
import sys
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

WARM_UP = 10.0  # seconds


class Connection:
    """One connection of HTTP/1.1, opened again when the server has closed it."""

    def __init__(self, address: str) -> None:
        self._host, _, self._port = address.rpartition(":")
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def request(self, head: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
        if self._writer is None or self._reader is None or self._reader.at_eof():
            self._reader, self._writer = await asyncio.open_connection(self._host, int(self._port))
        reader, writer = self._reader, self._writer
        writer.write(head.encode())
        for start in range(0, len(body), 64 * 1024):
            writer.write(body[start : start + 64 * 1024])
            await writer.drain()
        status = int((await reader.readline()).split()[1])
        headers = {}
        while line := (await reader.readline()).strip().decode():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("transfer-encoding") == "chunked":
            content = bytearray()
            while size := int(await reader.readline(), 16):
                content += await reader.readexactly(size)
                await reader.readline()
            await reader.readline()
        else:
            content = bytearray(await reader.readexactly(int(headers.get("content-length", 0))))
        if headers.get("connection", "").lower() == "close":
            self._writer.close()
            self._writer = None
        return status, headers, bytes(content)


def head_of(method: str, path: str, headers: dict[str, str]) -> str:
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""])


async def poll(address: str, clients: int, every: float, seconds: float) -> dict[str, Any]:
    """Let each client ask for its own path every so often; a late answer delays its next one.

    The clients come one after the other within ``WARM_UP`` seconds, which are not counted.
    """
    requests = json.load(sys.stdin)
    times: list[float] = []
    statuses: Counter[str] = Counter()
    counts_from = time.monotonic() + WARM_UP
    ends_at = counts_from + seconds

    async def client(number: int) -> None:
        request = requests[number % len(requests)]
        connection, tag = Connection(address), ""
        await asyncio.sleep(WARM_UP * number / clients)
        while (started := time.monotonic()) < ends_at:
            headers = request["headers"] | ({"If-None-Match": tag} if tag else {})
            try:
                status, answer, _ = await connection.request(
                    head_of("GET", request["path"], headers)
                )
            except (OSError, asyncio.IncompleteReadError, IndexError, ValueError) as exc:
                outcome, connection = type(exc).__name__, Connection(address)
            else:
                outcome, tag = str(status), answer.get("etag", "")
            took = time.monotonic() - started
            if started >= counts_from:
                times.append(took)
                statuses[outcome] += 1
            await asyncio.sleep(max(0.0, every - took))

    await asyncio.gather(*map(client, range(clients)))
    return summary(times, seconds) | {"statuses": statuses}


async def idle(address: str, clients: int, seconds: float) -> dict[str, Any]:
    """Hold connections: a third say nothing, a third send a head, a third a body, byte by byte."""
    host, _, port = address.rpartition(":")
    ends_at = time.monotonic() + seconds
    beginnings = [b"", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", _SLOW_BODY]

    async def client(number: int) -> None:
        try:
            _, writer = await asyncio.open_connection(host, int(port))
            beginning = beginnings[number % len(beginnings)]
            writer.write(beginning)
            while time.monotonic() < ends_at:
                if beginning:
                    writer.write(b"a")
                    await writer.drain()
                await asyncio.sleep(1)
            writer.close()
        except OSError:
            return

    await asyncio.gather(*map(client, range(clients)))
    return {"clients": clients}


_SLOW_BODY = (
    b"POST /sign-in/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\n\r\n"
)


async def upload(address: str, clients: int) -> dict[str, Any]:
    """Send the same file from each client at once."""
    request = json.load(sys.stdin)
    body = Path(request["body"]).read_bytes()
    headers = request["headers"] | {"Content-Length": str(len(body))}
    head = head_of("POST", request["path"], headers)
    started, statuses = time.monotonic(), Counter[str]()

    async def client() -> float:
        status, _, _ = await Connection(address).request(head, body)
        statuses[str(status)] += 1
        return time.monotonic() - started

    times = await asyncio.gather(*(client() for _ in range(clients)))
    return summary(times, max(times)) | {"statuses": statuses}


async def rush(address: str, clients: int, seconds: float) -> dict[str, Any]:
    """Let each client send the next request as soon as its last is answered."""
    requests = json.load(sys.stdin)
    times: list[float] = []
    statuses: Counter[str] = Counter()
    ends_at = time.monotonic() + seconds

    async def client(number: int) -> None:
        connection = Connection(address)
        while (started := time.monotonic()) < ends_at:
            status, _, _ = await connection.request(*posted(requests[number % len(requests)]))
            times.append(time.monotonic() - started)
            statuses[str(status)] += 1
            number += clients

    await asyncio.gather(*map(client, range(clients)))
    return summary(times, seconds) | {"statuses": statuses, "requests": len(times)}


async def hold(address: str, clients: int, seconds: float) -> dict[str, Any]:
    """Open a stream from each client, and read on until the time is over.

    A line on the error output says when all of them have had their first bytes.
    """
    requests = json.load(sys.stdin)
    host, _, port = address.rpartition(":")
    statuses: Counter[str] = Counter()
    waiting = clients
    ends_at = time.monotonic() + seconds

    async def client(number: int) -> None:
        nonlocal waiting
        reader, writer = await asyncio.open_connection(host, int(port))
        head, body = posted(requests[number % len(requests)])
        writer.write(head.encode() + body)
        status = (await reader.readline()).split()[1].decode()
        while (await reader.readline()).strip():
            continue
        await reader.read(1)
        waiting -= 1
        if not waiting:
            sys.stderr.write("open\n")
            sys.stderr.flush()
        try:
            async with asyncio.timeout(max(0.0, ends_at - time.monotonic())):
                while await reader.read(64 * 1024):
                    continue
        except TimeoutError:
            status += " held"
        statuses[status] += 1
        writer.close()

    await asyncio.gather(*map(client, range(clients)))
    return {"statuses": statuses}


def posted(request: dict[str, Any]) -> tuple[str, bytes]:
    """Return head and body of ``request``; of an order, one that was not made before."""
    if "json" not in request:
        return head_of("GET", request["path"], request["headers"]), b""
    body = json.dumps(request["json"]).encode()
    further = {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Idempotency-Key": uuid.uuid4().hex,
    }
    return head_of("POST", request["path"], request["headers"] | further), body


def summary(times: list[float], seconds: float) -> dict[str, Any]:
    """Return the median, the slowest twentieth and the slowest, in milliseconds."""
    times = sorted(times) or [float("inf")]
    return {
        "rate": len(times) / seconds,
        "p50": statistics.median(times) * 1000,
        "p95": times[int(len(times) * 0.95)] * 1000,
        "most": times[-1] * 1000,
    }


def main() -> None:
    _, address, kind, *numbers = sys.argv
    clients, *rest = (float(number) for number in numbers)
    run: Any = {"poll": poll, "idle": idle, "upload": upload, "rush": rush, "hold": hold}[kind]
    sys.stdout.write(json.dumps(asyncio.run(run(address, int(clients), *rest))))


if __name__ == "__main__":
    main()

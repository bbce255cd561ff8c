"""Single requests that the portal passes on: the first token, and many streams held open.

python -m tests.bench.portal_streams [--rounds 100] [--streams 1000] [--seconds 20]

One web process of the portal runs on one core, with a sandbox as its provider on the others. Each
stream takes two open files of the web process: `ulimit -n` must allow that.
"""

import json
import statistics
import sys
import tempfile
import time
from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

from tests.bench.portal_api import cores, headers_of, reached, write
from tests.bench.sandbox import sandbox
from tests.bench.web_server import WebServer, web_server
from tests.processes.portal import KEY
from tests.stack import free_port

CHAT = {
    "model": "Qwen/Qwen3-14B-FP8",
    "messages": [{"role": "user", "content": "Name the largest planet, and say why it is."}],
    "stream": True,
}
OPENING = 20  # seconds that the streams have to begin
PATH = "/v1/chat/completions"
LATER = 10  # milliseconds that the first token may come later through the portal
FAST, SLOW = 100.0, 0.002  # speed of the sandbox: 2,000 events a second, and one in 25 seconds


def main(argv: list[str] | None = None) -> None:
    parser = ArgumentParser()
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args(argv)
    first, others = cores()
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="batchapp-bench-") as name:
        folder = Path(name)
        seed = ("tests.bench.api_rows", "1", f"http://127.0.0.1:{port}", KEY)
        with ExitStack() as running:
            fast = ExitStack()
            # Before the portal starts, so that nobody else takes the port meanwhile.
            provider = fast.enter_context(sandbox(folder / "fast", port, speed=FAST, cores=others))
            running.enter_context(fast)
            server = running.enter_context(
                web_server(folder / "portal", seed=seed, cores=first, WEB_CONCURRENCY="1")
            )
            write(report_first_token(server, provider, options.rounds))
            fast.close()
            running.enter_context(sandbox(folder / "slow", port, speed=SLOW, cores=others))
            write(report_streams(server, options.streams, options.seconds))


def report_first_token(server: WebServer, provider: str, rounds: int) -> str:
    """Measure in turns how soon the first event comes from the sandbox and through the portal."""
    direct: list[float] = []
    passed: list[float] = []
    portal_url = f"http://{server.address}"
    with httpx.Client(trust_env=False, timeout=60) as client:
        for _ in range(rounds + 5):
            direct.append(_first_event(client, provider, {"Authorization": f"Bearer {KEY}"}))
            passed.append(_first_event(client, portal_url, headers_of(server)))
    # The first requests open connections, and load what the server loads on demand.
    mine, least = (statistics.median(each[5:]) * 1000 for each in (passed, direct))
    return (
        f"first event of a stream: sandbox {least:.1f} ms, through the portal {mine:.1f} ms, "
        f"{mine - least:+.1f} ms, target {LATER} ms, {reached(mine - least <= LATER)}\n"
    )


def _first_event(client: httpx.Client, url: str, headers: dict[str, str]) -> float:
    started = time.perf_counter()
    with client.stream("POST", f"{url}{PATH}", json=CHAT, headers=headers) as answer:
        answer.raise_for_status()
        events = answer.iter_raw()
        next(events)
        took = time.perf_counter() - started
        for _ in events:
            continue
    return took


def report_streams(server: WebServer, streams: int, seconds: float) -> str:
    """Hold streams open, and tell what they take, and how fast a page and a poll still answer."""
    before = server.memory()
    request: dict[str, Any] = {"path": PATH, "headers": headers_of(server), "json": CHAT}
    started = time.perf_counter()
    with server.load(
        "hold", str(streams), str(seconds + OPENING), requests=[request], errors=True
    ) as load:
        assert load.stdout
        assert load.stderr
        word = load.stderr.readline().strip()
        opened, held = time.perf_counter() - started, server.memory()
        pages = _times(server, "/sign-in/", {"Host": "localhost"}, seconds / 2)
        polls = _times(server, server.facts["batches"][0], headers_of(server), seconds / 2)
        statuses = json.load(load.stdout)["statuses"]
    return (
        f"{streams:,} streams ({word or 'NOT all open'}, {statuses}) opened in {opened:.1f} s: "
        f"{before} MiB before, {held} MiB held, "
        f"{(held - before) * 1024 / max(streams, 1):.0f} KiB each; "
        f"a page p50 {pages[0]:.0f} ms, most {pages[1]:.0f} ms; "
        f"a poll p50 {polls[0]:.0f} ms, most {polls[1]:.0f} ms\n"
    )


def _times(
    server: WebServer, path: str, headers: dict[str, str], seconds: float
) -> tuple[float, float]:
    """Return the median and the longest time of requests for ``path``, in milliseconds."""
    times: list[float] = []
    ends_at = time.perf_counter() + seconds
    url = f"http://{server.address}{path}"
    with httpx.Client(trust_env=False, timeout=60) as client:
        while not times or time.perf_counter() < ends_at:
            started = time.perf_counter()
            client.get(url, headers=headers).raise_for_status()
            times.append((time.perf_counter() - started) * 1000)
            time.sleep(0.05)
    return statistics.median(times), max(times)


if __name__ == "__main__":
    main(sys.argv[1:])

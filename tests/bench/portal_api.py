"""The portal's API under polls and orders, beside a bare Django view and LiteLLM's proxy.

python -m tests.bench.portal_api [--rounds 400] [--seconds 10] [--clients 1000]
                                 [--only ratio rates polls]

One web process of the portal runs on one core, with a sandbox as its provider. The clients, and
what else runs, have the other cores. Rates for each core are requests by second of processor time
of the server, so that other work of the machine counts little. LITELLM=…/bin/litellm names the
proxy to compare with; see `litellm_proxy`.
"""

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from argparse import ArgumentParser
from itertools import islice
from pathlib import Path
from typing import Any

from tests.bench.litellm_proxy import MISSING, litellm_proxy, order_batch, order_of
from tests.bench.load import Connection, head_of
from tests.bench.request_files import make_lines
from tests.bench.sandbox import sandbox
from tests.bench.web_server import WebServer, web_server
from tests.processes.portal import KEY
from tests.stack import free_port

BARE = "/v1/bare"  # of `bare_view`
RATIO = 1.5  # of a request to the bare view, in the median
TIMES = 15  # as many requests for each core as LiteLLM's proxy answers
EVERY, SLOWEST = 5.0, 50  # seconds between two polls of a client; milliseconds of the p95
BATCHES = 100
WORKERS = 8  # clients that send the next request at once
PARTS = ["ratio", "rates", "polls"]


def main(argv: list[str] | None = None) -> None:
    parser = ArgumentParser()
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    options = parser.parse_args(argv)
    port = free_port()
    first, others = cores()
    with (
        tempfile.TemporaryDirectory(prefix="batchapp-bench-") as folder,
        sandbox(Path(folder) / "sandbox", port, cores=others) as provider,
        web_server(
            Path(folder) / "portal",
            seed=("tests.bench.api_rows", str(BATCHES), provider, KEY),
            cores=first,
            DJANGO_SETTINGS_MODULE="tests.bench.bare_settings",
            WEB_CONCURRENCY="1",
        ) as server,
    ):
        if "ratio" in options.only:
            write(report_ratios(server, options.rounds))
        if "rates" in options.only:
            with litellm_proxy(Path(folder), provider, KEY, cores=first) as proxy:
                write(report_rates(server, proxy, options.seconds))
        if "polls" in options.only:
            write(report_polls(server, options.clients, options.seconds))


def cores() -> tuple[set[int], set[int]]:
    """Return the core of the server, and those of everything else."""
    first, *others = sorted(os.sched_getaffinity(0))
    return {first}, set(others) or {first}


def write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def headers_of(server: WebServer) -> dict[str, str]:
    return {"Host": "localhost", "Authorization": f"Bearer {server.facts['secret']}"}


def report_ratios(server: WebServer, rounds: int) -> str:
    """Compare single requests on one connection, one after the other in each round."""
    batch, file = server.facts["batches"][0], server.facts["file"]
    medians = asyncio.run(_medians(server, [BARE, batch, file], rounds))
    lines = [f"{'GET ' + BARE:<34} p50 {medians[BARE, False]:6.2f} ms\n"]
    for path, name in ((batch, "GET batch"), (file, "GET file")):
        for is_known, suffix in ((False, ""), (True, ", unchanged (304)")):
            ratio = medians[path, is_known] / medians[BARE, False]
            lines.append(
                f"{name + suffix:<34} p50 {medians[path, is_known]:6.2f} ms  "
                f"{ratio:.2f} times the bare view, target {RATIO}, {reached(ratio <= RATIO)}\n"
            )
    return "".join(lines)


async def _medians(
    server: WebServer, paths: list[str], rounds: int
) -> dict[tuple[str, bool], float]:
    """Return the median milliseconds of each path, without and with the ETag of its answer."""
    connection, headers = Connection(server.address), headers_of(server)
    heads = {}
    for path in paths:
        status, answer, _ = await connection.request(head_of("GET", path, headers))
        if status != 200:
            raise RuntimeError(f"{path}: status {status}")
        heads[path, False] = head_of("GET", path, headers)
        if tag := answer.get("etag"):
            heads[path, True] = head_of("GET", path, headers | {"If-None-Match": tag})
    times: dict[tuple[str, bool], list[float]] = {name: [] for name in heads}
    for _ in range(rounds):
        for name, head in heads.items():
            started = time.perf_counter()
            await connection.request(head)
            times[name].append(time.perf_counter() - started)
    return {name: statistics.median(each) * 1000 for name, each in times.items()}


def report_rates(server: WebServer, proxy: WebServer | None, seconds: float) -> str:
    """Tell how many requests a core answers, of the portal and of LiteLLM's proxy in turns."""
    portal = _requests(server, server.facts["batches"], server.facts["upload"])
    servers = [("portal", server, portal)]
    if proxy:
        file, batch = order_batch(proxy, b"".join(islice(make_lines("one program"), 3)))
        servers.append(("LiteLLM", proxy, _requests(proxy, [f"/v1/batches/{batch}"], file)))
    rates: dict[tuple[str, str], list[float]] = {}
    outcomes = []
    for _ in range(3):
        for call in ("GET batch", "POST batch"):
            for name, each, requests in servers:
                result = _rush(each, requests[call], seconds / 3)
                rates.setdefault((call, name), []).append(result["per_core"])
                outcomes.append(f"{name} {call}: {result['statuses']}")
    lines = [] if proxy else [MISSING]
    for call in ("GET batch", "POST batch"):
        mine = statistics.median(rates[call, "portal"])
        line = f"{call:<34} {mine:6.0f} requests a second and core"
        if proxy:
            other = statistics.median(rates[call, "LiteLLM"])
            line += f", LiteLLM {other:.0f}: {mine / other:.1f} times, target {TIMES}, "
            line += reached(mine >= TIMES * other)
        lines.append(f"{line}\n")
    odd = [each for each in outcomes if set(json.loads(each.split(": ", 1)[1])) - {"200"}]
    return "".join(lines) + "".join(f"not all answered with 200: {each}\n" for each in odd)


def _requests(server: WebServer, batches: list[str], file: str) -> dict[str, list[Any]]:
    headers = headers_of(server)
    order = {"path": "/v1/batches", "headers": headers, "json": order_of(file)}
    return {
        "GET batch": [{"path": path, "headers": headers} for path in batches],
        "POST batch": [order],
    }


def _rush(server: WebServer, requests: list[Any], seconds: float) -> dict[str, Any]:
    before = server.cpu()
    with server.load("rush", str(WORKERS), str(seconds), requests=requests) as process:
        assert process.stdout
        result = dict(json.load(process.stdout))
    statuses = json.dumps(result["statuses"])
    return {
        "per_core": result["requests"] / (server.cpu() - before) * 1000,
        "statuses": statuses,
    }


def report_polls(server: WebServer, clients: int, seconds: float) -> str:
    """Let many clients poll batches, each every few seconds, and tell how long they waited."""
    requests = [{"path": path, "headers": headers_of(server)} for path in server.facts["batches"]]
    args = ("poll", str(clients), str(EVERY), str(max(seconds, 2 * EVERY)))
    with server.load(*args, requests=requests) as process:
        assert process.stdout
        result = json.load(process.stdout)
    return (
        f"{clients:,} clients every {EVERY:.0f} s on one core   p50 {result['p50']:.0f} ms  "
        f"p95 {result['p95']:.0f} ms  most {result['most']:.0f} ms  {result['rate']:.0f}/s  "
        f"{result['statuses']}, target {SLOWEST} ms, {reached(result['p95'] <= SLOWEST)}\n"
    )


def reached(is_reached: bool) -> str:
    return "reached" if is_reached else "NOT reached"


if __name__ == "__main__":
    main()

"""The web server while many people watch, while clients are slow, and while files arrive.

python -m tests.bench.web_server [--seconds 20] [--only live slow uploads] [--server COMMAND]

The web process runs alone, as the Procfile has it or as COMMAND says, with $PORT. Clients are in
another process on the same machine, and so take a share of its cores.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from tests.bench.load import WARM_UP
from tests.bench.request_files import make_lines
from tests.processes.portal import ROOT, install, is_up, stack, until
from tests.stack import free_port

PAGES, EVERY = 200, 2.0
TARGET = 300  # milliseconds, of the slowest twentieth
SLOW = 500
UPLOADS, UPLOAD_MB = 50, 19


def main() -> None:
    parser = ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--only", nargs="+", default=["live", "slow", "uploads"])
    parser.add_argument("--server", default="")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="batchapp-bench-") as folder,
        web_server(Path(folder), options.server) as server,
    ):
        if "live" in options.only:
            server.report("200 live pages every 2 s", server.poll(options.seconds))
        if "slow" in options.only:
            with server.load("idle", str(SLOW), str(options.seconds + WARM_UP + 5)):
                server.report("the same beside 500 slow clients", server.poll(options.seconds))
        if "uploads" in options.only:
            server.report_uploads()


class WebServer:
    """A running web process with a project of ``PAGES`` running batches."""

    def __init__(self, port: int, facts: dict[str, Any], pid: int) -> None:
        self.address, self.facts, self.pid = f"127.0.0.1:{port}", facts, pid

    @property
    def headers(self) -> dict[str, str]:
        return {"Host": "localhost", "Cookie": self.facts["cookie"], "Accept-Encoding": "gzip"}

    @contextmanager
    def load(
        self, *args: str, requests: Any = None, errors: bool = False
    ) -> Iterator[subprocess.Popen[str]]:
        command = [sys.executable, "-m", "tests.bench.load", self.address, *args]
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        if errors:
            pipes["stderr"] = subprocess.PIPE
        with subprocess.Popen(command, cwd=ROOT, **pipes) as process:
            assert process.stdin
            process.stdin.write(json.dumps(requests))
            process.stdin.close()
            yield process
            process.terminate()

    def poll(self, seconds: float, pages: int = PAGES) -> dict[str, Any]:
        requests = [
            {"path": path, "headers": self.headers | {"HX-Request": "true"}}
            for path in self.facts["paths"][:pages]
        ]
        args = ("poll", str(pages), str(EVERY), str(seconds))
        with self.load(*args, requests=requests) as process:
            assert process.stdout
            time.sleep(WARM_UP + 1)
            before = self.cpu()
            result = dict(json.load(process.stdout))
        return result | {"cpu": (self.cpu() - before) / (result["rate"] * (seconds - 1))}

    def report(self, label: str, result: dict[str, Any]) -> None:
        verdict = "reached" if result["p95"] <= TARGET else f"NOT reached (target {TARGET})"
        sys.stdout.write(
            f"{label:<34} {result['rate']:5.0f}/s  p50 {result['p50']:5.0f} ms  "
            f"p95 {result['p95']:5.0f} ms  most {result['most']:5.0f} ms  "
            f"{result['cpu']:4.1f} ms of CPU each  {result['statuses']}  {self.memory()} MiB  "
            f"{verdict}\n"
        )
        sys.stdout.flush()

    def memory(self) -> int:
        """Return the memory that the processes of the server take, in MiB."""
        sums = [_field(folder / "smaps_rollup", "Pss:") for folder in self._processes()]
        return sum(sums) // 1024

    def cpu(self) -> float:
        """Return the milliseconds of CPU that the processes of the server have used."""
        ticks = 0
        for folder in self._processes():
            with suppress(OSError):
                ticks += sum(map(int, _stat(folder)[11:13]))
        return ticks * 1000 / os.sysconf("SC_CLK_TCK")

    def _processes(self) -> Iterator[Path]:
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if int(_stat(folder)[2]) == self.pid:
                    yield folder

    def report_uploads(self) -> None:
        """Send files, and look at the home page meanwhile."""
        boundary = "x" * 32
        with tempfile.NamedTemporaryFile(suffix=".body") as file:
            file.write(
                f'--{boundary}\r\nContent-Disposition: form-data; name="file"; '
                'filename="a.jsonl"\r\nContent-Type: application/jsonl\r\n\r\n'.encode()
            )
            lines, size = make_lines("one program"), 0
            while size < UPLOAD_MB * 1_000_000:
                size += file.write(next(lines))
            file.write(f"\r\n--{boundary}--\r\n".encode())
            file.flush()
            request = {
                "path": self.facts["upload"],
                "body": file.name,
                "headers": self.headers
                | {
                    "Content-Type": f"multipart/form-data; boundary={boundary}",
                    "Accept": "application/json",
                    "X-CSRFToken": self.facts["token"],
                },
            }
            times, started = [], time.monotonic()
            with (
                self.load("upload", str(UPLOADS), requests=request) as process,
                httpx.Client(
                    base_url=f"http://{self.address}", trust_env=False, timeout=60
                ) as home,
            ):
                while process.poll() is None:
                    asked = time.monotonic()
                    home.get("/", headers=self.headers).raise_for_status()
                    times.append(time.monotonic() - asked)
                    time.sleep(0.2)
                assert process.stdout
                sent = json.load(process.stdout)
        times.sort()
        sys.stdout.write(
            f"{UPLOADS} uploads of {UPLOAD_MB} MB in {time.monotonic() - started:.1f} s "
            f"{sent['statuses']}: home page p50 {times[len(times) // 2] * 1000:.0f} ms, "
            f"most {times[-1] * 1000:.0f} ms, {self.memory()} MiB\n"
        )


def _stat(folder: Path) -> list[str]:
    return (folder / "stat").read_text().rpartition(")")[2].split()


def _field(path: Path, name: str) -> int:
    with suppress(OSError):
        for line in path.read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1])
    return 0


@contextmanager
def web_server(
    folder: Path,
    command: str = "",
    *,
    seed: Sequence[str] = ("tests.bench.live_pages", str(PAGES)),
    cores: Collection[int] = (),
    **settings: str,
) -> Iterator[WebServer]:
    """Run a web process with the rows that the module ``seed`` makes, on ``cores`` or on all.

    It has a database of its own, as the rows of another would be in the way of the same seed.
    """
    with stack() as services:
        yield from _run(folder, command, seed, cores, services | settings)


def _run(
    folder: Path,
    command: str,
    seed: Sequence[str],
    cores: Collection[int],
    settings: dict[str, str],
) -> Iterator[WebServer]:
    port = free_port()
    env = os.environ | {
        "DATA_DIR": str(folder),
        "PORT": str(port),
        "PUBLIC_URL": f"http://localhost:{port}",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "LOG_LEVEL": "WARNING",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        **settings,
    }
    install(env)
    made = subprocess.run(
        [sys.executable, "-m", *seed],
        cwd=ROOT,
        env=env,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    argv = (
        ["sh", "-c", f"exec {command}"]
        if command
        else [sys.executable, "manage.py", "serve", "web"]
    )
    with (
        (folder / "web.log").open("w") as log,
        subprocess.Popen(
            argv, cwd=ROOT, env=env, stdout=log, stderr=log, start_new_session=True
        ) as process,
    ):
        if cores:
            os.sched_setaffinity(process.pid, cores)
        try:
            until(lambda: is_up(f"http://127.0.0.1:{port}/readyz"), "the web server")
            yield WebServer(port, json.loads(made.stdout), process.pid)
        finally:
            process.terminate()
            process.wait(30)


if __name__ == "__main__":
    main()

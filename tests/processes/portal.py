"""The portal as an administrator runs it: real processes, a real sandbox, either stack."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import redis

from tests.installed import manage, migrated_database, static_files
from tests.postgres import create_database, drop_database, is_migrated
from tests.stack import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
KEY = "sk-tests-0123456789"
PASSWORD = "correct horse battery"
PATIENCE = 180
_stacks = count()


class Portal:
    """Web, worker, beat and sandbox below one `serve`; ``started`` names their process ids."""

    def __init__(self, env: dict[str, str], port: int, sandbox_port: int) -> None:
        self.env = env
        self.url = f"http://localhost:{port}"
        self.sandbox_url = f"http://127.0.0.1:{sandbox_port}"
        self.guise = "doubleword"  # of the sandbox
        self.started: dict[str, int] = {}
        self.started_at: dict[str, float] = {}
        self.log: list[str] = []

    def manage(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "manage.py", *args],
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{args}: {done.stderr}\n{self.tail()}")
        return done

    def bootstrap(self, *extra: str, key: str = KEY, project: str = "Demo") -> dict[str, Any]:
        done = self.manage(
            "bootstrap",
            *("--email", "ana@example.com", "--project", project),
            *("--connection", "Sandbox", "--base-url", self.sandbox_url),
            *("--provider-key", key, "--poll-seconds", "1", *extra),
        )
        return dict(json.loads(done.stdout))

    @contextmanager
    def running(self, *args: str) -> Iterator[subprocess.Popen[str]]:
        """A management command in the background."""
        with subprocess.Popen(
            [sys.executable, "manage.py", *args],
            cwd=ROOT,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as command:
            try:
                yield command
            finally:
                command.kill()

    def children(self, name: str) -> list[int]:
        """The living processes that ``name`` has started: those who do its work."""
        leader = self.started.get(name)
        return [pid for pid in members_of(leader) if pid != leader] if leader else []

    def kill(self, name: str) -> None:
        """SIGKILL a process, and wait until `serve` has started it again."""
        pid = self.started.pop(name)
        os.kill(pid, signal.SIGKILL)
        until(lambda: name in self.started, f"{name} to be started again", self.tail)

    def sandbox_batches(self, key: str = KEY) -> list[dict[str, Any]]:
        """The provider's own ledger: what that key would have to pay."""
        answer = httpx.get(
            f"{self.sandbox_url}/v1/batches",
            params={"limit": 100},
            headers={"Authorization": f"Bearer {key}"},
            trust_env=False,
            timeout=PATIENCE,
        )
        return list(answer.json()["data"])

    def ledger(self) -> dict[str, Any]:
        """Every batch the sandbox ever made, and whether it was paid."""
        answer = httpx.get(
            f"{self.sandbox_url}/_sandbox/ledger", trust_env=False, timeout=PATIENCE
        )
        return dict(answer.json())

    def faults_struck(self) -> Counter[str]:
        """How often the sandbox misbehaved in each way that it was asked to."""
        answer = httpx.get(
            f"{self.sandbox_url}/_sandbox/faults", trust_env=False, timeout=PATIENCE
        )
        struck: Counter[str] = Counter()
        for rule in answer.json()["faults"]:
            struck[rule["rule"]["fault"]] += rule["struck"]
        return +struck

    def tail(self) -> str:
        return "\n".join(self.log[-40:])

    def listen(self, stream: Any) -> None:
        for line in stream:
            self.log.append(line.rstrip())
            if found := re.match(r"(\w+): started as process (\d+)", line):
                self.started_at[found[1]] = time.monotonic()
                self.started[found[1]] = int(found[2])


def until(
    condition: Callable[[], Any],
    what: str,
    tail: Callable[[], str] = lambda: "",
    *,
    patience: float = PATIENCE,
) -> Any:
    """Return the first true value of ``condition``."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.1)
    raise AssertionError(f"waited in vain for {what}\n{tail()}")


def members_of(group: int) -> list[int]:
    """The living processes of a group."""
    members = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            state, _, its_group = entry.read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state != "Z":
                members.append(int(entry.parent.name))
    return members


@contextmanager
def portal(
    data_dir: Path,
    *,
    speed: float = 1.0,
    guise: str = "doubleword",
    urls: dict[str, str] | None = None,
    keeper: Sequence[str] = ("manage.py", "serve", "--skip-checks"),
    **settings: str,
) -> Iterator[Portal]:
    """Start everything on an empty database; end everything.

    The sandbox speaks the API of ``guise``. ``urls`` name services of the caller's instead of
    those of the environment; ``keeper`` takes the arguments of `serve` and may start other
    processes than it.
    """
    port, sandbox_port = free_port(), free_port()
    sandbox = (
        f"{sys.executable} manage.py sandbox --port {sandbox_port} "
        f"--data {data_dir / 'sandbox'} --speed {speed} --guise {guise}"
    )
    with nullcontext(urls) if urls is not None else stack() as services:
        env = os.environ | services | settings
        env |= {
            "DATA_DIR": str(data_dir),
            "PORT": str(port),
            "PUBLIC_URL": settings.get("PUBLIC_URL", f"http://localhost:{port}"),
            "LEASE_SECONDS": "5",
            "BOOTSTRAP_PASSWORD": PASSWORD,
            "LOG_LEVEL": settings.get("LOG_LEVEL", "INFO"),
        }
        it = Portal(env, port, sandbox_port)
        it.guise = guise
        install(env)
        with subprocess.Popen(
            [sys.executable, *keeper, "--with", f"sandbox={sandbox}"],
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as serve:
            listener = threading.Thread(target=it.listen, args=[serve.stdout])
            listener.start()
            try:
                for url in (f"{it.url}/readyz", f"{it.sandbox_url}/healthz"):
                    until(lambda url=url: is_up(url), url, it.tail)
                yield it
            finally:
                serve.terminate()
                serve.wait(60)
                listener.join()


def install(env: dict[str, str]) -> None:
    """Bring the database and the static files of ``env`` up to date, as `make install` does."""
    data_dir = Path(env["DATA_DIR"])
    shutil.copytree(static_files(), data_dir / "static")
    if "DATABASE_URL" not in env:
        shutil.copy(migrated_database(), data_dir)
    elif not is_migrated(env["DATABASE_URL"]):
        manage(env, "migrate")


@contextmanager
def stack() -> Iterator[dict[str, str]]:
    """A database and a Redis of its own on the servers of the environment, if it names any."""
    if "DATABASE_URL" not in os.environ:
        yield {}
        return
    name = f"portal_{uuid.uuid4().hex[:12]}"
    server = os.environ["DATABASE_URL"]
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = 2 + 100 * worker + 2 * next(_stacks)  # of a thousand; the first two are the suite's
    broker = _numbered(os.environ["BROKER_URL"], first)
    cache = _numbered(os.environ["CACHE_URL"], first + 1)
    database = create_database(server, name)
    for url in (broker, cache):
        with redis.Redis.from_url(url) as store:
            store.flushdb()
    try:
        yield {"DATABASE_URL": database, "BROKER_URL": broker, "CACHE_URL": cache}
    finally:
        drop_database(server, name)


def _numbered(url: str, number: int) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{number}"))


def is_up(url: str) -> bool:
    try:
        # There is no TLS to verify; else each call reads the certificates of all authorities.
        return httpx.get(url, trust_env=False, verify=False, timeout=PATIENCE).is_success
    except httpx.TransportError:
        return False

"""Runs a command with a real PostgreSQL, Redis and S3 server, all on loopback, only for that long.

python -m tests.stack pytest        the command sees the URL of each, as a host would set it
python -m tests.stack --check       only whether all that the suite needs is installed
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import redis

from batchapp.management import processes

PATIENCE = 120  # seconds
ENDING = (signal.SIGTERM, signal.SIGHUP)
_held_ports: list[socket.socket] = []


def main(argv: Sequence[str]) -> int:
    if argv == ["--check"]:
        _installed()
        return 0
    for number in ENDING:
        signal.signal(number, _stop)
    with servers() as running:
        # Ctrl-C reaches the command too: it ends by itself, and only then the servers do.
        signal.signal(signal.SIGINT, lambda *_: None)
        env = os.environ | running.urls
        with subprocess.Popen(processes.ending_with_parent(argv), env=env) as command:
            try:
                return command.wait()
            finally:
                command.terminate()


@dataclass
class Server:
    """A server in a session of its own, so that Ctrl-C spares it.

    ``end`` is the signal it stops at once by; ``answer`` raises while it is not up.
    """

    command: list[str]
    log: Path
    end: signal.Signals
    answer: Callable[[], Any]
    account: dict[str, Any] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return when it answers; end everything, with its log, if it does not."""
        with self.log.open("ab") as output:
            process = self._process = subprocess.Popen(
                processes.ending_with_parent(self.command),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self.account,
            )
        deadline = time.monotonic() + PATIENCE
        while process.poll() is None and time.monotonic() < deadline:
            with suppress(psycopg.OperationalError, redis.ConnectionError, httpx.HTTPError):
                self.answer()
                return
            time.sleep(0.05)
        sys.exit(f"{self.command[0]} did not start:\n{self.log.read_text()}")

    def stop(self, by: signal.Signals | None = None) -> None:
        if not self._process:
            return
        self._process.send_signal(by or self.end)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


@dataclass(frozen=True)
class Servers:
    postgres: Server
    redis: Server
    objects: Server
    urls: dict[str, str]
    """What the portal's environment needs to use them."""


@contextmanager
def servers() -> Iterator[Servers]:
    """A PostgreSQL, a Redis and an S3 server with nothing in them, while the block runs."""
    programs, redis_server = _installed()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="batchapp-stack-")))
        folder.chmod(0o755)  # PostgreSQL is another user
        postgres, database = _postgres(programs, folder / "postgres")
        stack.callback(postgres.stop)
        postgres.start()
        with psycopg.connect(f"{database}/postgres", autocommit=True) as admin:
            admin.execute("CREATE DATABASE batchapp")
        store, address = _redis(redis_server, folder)
        stack.callback(store.stop)
        store.start()
        objects, bucket = _objects(folder)
        stack.callback(objects.stop)
        objects.start()
        urls = {
            "DATABASE_URL": f"{database}/batchapp",
            "BROKER_URL": f"{address}/0",
            "CACHE_URL": f"{address}/1",
            "STORAGE_URL": bucket,
        }
        yield Servers(postgres, store, objects, urls)


def _installed() -> tuple[Path, str]:
    """Return PostgreSQL's folder and Redis' program; end with advice if anything is missing."""
    folders = [*Path("/usr/lib/postgresql").glob("*/bin"), *_folder_of("initdb")]
    folders = [folder for folder in folders if (folder / "initdb").exists()]
    redis_server = shutil.which("redis-server")
    packages = {
        "postgresql": bool(folders),
        "redis-server": bool(redis_server),
        "chromium": bool(shutil.which("chromium")),
        "chromium-headless-shell": bool(shutil.which("chromium-headless-shell")),
    }
    missing = " ".join(name for name, found in packages.items() if not found)
    if missing or not redis_server:
        sys.exit(
            f"The tests need programs that are not installed. On Debian: apt-get install {missing}"
        )
    return max(folders, key=_version), redis_server


def _folder_of(program: str) -> list[Path]:
    found = shutil.which(program)
    return [Path(found).parent] if found else []


def _version(folder: Path) -> int:
    return int(folder.parent.name) if folder.parent.name.isdecimal() else 0


def _postgres(programs: Path, data: Path) -> tuple[Server, str]:
    """It refuses to run as root, so for root it runs as the user its package made."""
    data.mkdir()
    account: dict[str, Any] = {}
    if os.geteuid() == 0:
        user = _user("postgres", "nobody")
        os.chown(data, user.pw_uid, user.pw_gid)
        account = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    made = subprocess.run(
        [
            programs / "initdb",
            *("--pgdata", data, "--username", "batchapp", "--auth", "trust"),
            *("--encoding", "UTF8", "--no-locale", "--no-sync"),
        ],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        **account,
    )
    if made.returncode:
        sys.exit(f"PostgreSQL's data folder could not be made: {made.stderr}")
    port = free_port()
    options = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": "",
        "max_connections": 200,
        "fsync": "off",  # what was written survives the server, though not the host
        "full_page_writes": "off",
    }
    settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    address = f"postgres://batchapp@127.0.0.1:{port}"
    return Server(
        [str(programs / "postgres"), "-D", str(data), *settings],
        data.with_suffix(".log"),
        signal.SIGINT,
        lambda: psycopg.connect(f"{address}/postgres").close(),
        account,
    ), address


def _redis(program: str, folder: Path) -> tuple[Server, str]:
    port = free_port()
    command = [program, *("--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder))]
    return Server(
        [*command, "--save", "", "--databases", "1024"],
        folder / "redis.log",
        signal.SIGTERM,
        redis.Redis(port=port).ping,
    ), f"redis://127.0.0.1:{port}"


def _objects(folder: Path) -> tuple[Server, str]:
    """An S3 server that keeps its objects in memory, and so forgets them when it ends."""
    port = free_port()
    address = f"127.0.0.1:{port}"
    return Server(
        [sys.executable, "-m", "moto.server", *("--host", "127.0.0.1", "--port", str(port))],
        folder / "objects.log",
        signal.SIGTERM,
        # It answers when it has made the bucket. It takes any key, and requests without one.
        lambda: httpx.put(
            f"http://{address}/batchapp", trust_env=False, timeout=60
        ).raise_for_status(),
    ), f"s3+http://key:secret@{address}/batchapp"


def _user(*names: str) -> pwd.struct_passwd:
    for name in names:
        with suppress(KeyError):
            return pwd.getpwnam(name)
    sys.exit(f"PostgreSQL does not run as root, and there is no user {' or '.join(names)}.")


def free_port() -> int:
    """Return a port of 127.0.0.1 that the system gives to nobody else while this process lives.

    A server that sets SO_REUSEADDR, as all of ours do, can listen there nevertheless.
    """
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _held_ports.append(holder)
    return int(holder.getsockname()[1])


def _stop(number: int, frame: object) -> None:
    for each in ENDING:  # a second one must not break off the cleaning up
        signal.signal(each, lambda *_: None)
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Runs a command with a real PostgreSQL and a real Redis, both on loopback, only for that long.

python -m tests.stack pytest        the command sees DATABASE_URL, BROKER_URL and CACHE_URL
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
from pathlib import Path
from typing import Any

import psycopg
import redis

from batchapp.management import processes

PATIENCE = 30  # seconds
ENDING = (signal.SIGTERM, signal.SIGHUP)


def main(argv: Sequence[str]) -> int:
    postgres, redis_server = _installed()
    if argv == ["--check"]:
        return 0
    for number in ENDING:
        signal.signal(number, _stop)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="batchapp-stack-")))
        folder.chmod(0o755)  # PostgreSQL is another user
        database = stack.enter_context(_postgres(postgres, folder / "postgres"))
        store = stack.enter_context(_redis(redis_server, folder))
        # Ctrl-C reaches the command too: it ends by itself, and only then the servers do.
        signal.signal(signal.SIGINT, lambda *_: None)
        urls = {
            "DATABASE_URL": database,
            "BROKER_URL": f"{store}/0",
            "CACHE_URL": f"{store}/1",
        }
        with subprocess.Popen(processes.tied(argv), env=os.environ | urls) as command:
            try:
                return command.wait()
            finally:
                command.terminate()


def _installed() -> tuple[Path, str]:
    """Return PostgreSQL's folder and Redis' program; end with advice if anything is missing."""
    folders = [*Path("/usr/lib/postgresql").glob("*/bin"), *_folder_of("initdb")]
    folders = [folder for folder in folders if (folder / "initdb").exists()]
    redis_server = shutil.which("redis-server")
    packages = {
        "postgresql": bool(folders),
        "redis-server": bool(redis_server),
        "chromium": bool(shutil.which("chromium")),
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


@contextmanager
def _postgres(programs: Path, data: Path) -> Iterator[str]:
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
    port = _free_port()
    options = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": "",
        "max_connections": 200,
        "fsync": "off",
        "full_page_writes": "off",
        "synchronous_commit": "off",
    }
    settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    command = [str(programs / "postgres"), "-D", str(data), *settings]
    server = f"postgres://batchapp@127.0.0.1:{port}"
    with _server(command, data.with_suffix(".log"), signal.SIGINT, **account) as until:
        until(lambda: psycopg.connect(f"{server}/postgres").close())
        with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
            admin.execute("CREATE DATABASE batchapp")
        yield f"{server}/batchapp"


@contextmanager
def _redis(program: str, folder: Path) -> Iterator[str]:
    port = _free_port()
    command = [program, *("--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder))]
    with _server([*command, "--save", ""], folder / "redis.log", signal.SIGTERM) as until:
        until(redis.Redis(port=port).ping)
        yield f"redis://127.0.0.1:{port}"


Until = Callable[[Callable[[], Any]], None]


@contextmanager
def _server(command: list[str], log: Path, end: signal.Signals, **account: Any) -> Iterator[Until]:
    """Start a server of our own session, so that Ctrl-C spares it; stop it by ``end``."""
    with log.open("wb") as output:
        server = subprocess.Popen(
            processes.tied(command),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **account,
        )

    def until(answer: Callable[[], Any]) -> None:
        deadline = time.monotonic() + PATIENCE
        while server.poll() is None and time.monotonic() < deadline:
            with suppress(psycopg.OperationalError, redis.ConnectionError):
                answer()
                return
            time.sleep(0.05)
        sys.exit(f"{command[0]} did not start:\n{log.read_text()}")

    try:
        yield until
    finally:
        server.send_signal(end)
        try:
            server.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _user(*names: str) -> pwd.struct_passwd:
    for name in names:
        with suppress(KeyError):
            return pwd.getpwnam(name)
    sys.exit(f"PostgreSQL does not run as root, and there is no user {' or '.join(names)}.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _stop(number: int, frame: object) -> None:
    for each in ENDING:  # a second one must not break off the cleaning up
        signal.signal(each, lambda *_: None)
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

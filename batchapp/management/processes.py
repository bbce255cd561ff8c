"""Keeps the Procfile's processes running on a host where neither Docker nor systemd does.

Not supervisord: with its output in a file its own lines overwrite the processes', under systemd
(a socket) it cannot start them at all, and the children of a killed process stay behind.
"""

import asyncio
import fcntl
import os
import shutil
import signal
import socket
import time
from asyncio.subprocess import DEVNULL, STDOUT
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from errno import EADDRINUSE
from pathlib import Path

GRACE = 20.0
"""Seconds a process may take to finish its work; a lease that a killed task held runs out."""

LONGEST_PAUSE = 30.0
"""Seconds before the next start of a process that keeps dying at once."""

STEADY = 10.0
"""Seconds after which a process counts as started: its next end is a new trouble."""

LARGEST_LOG = 10_000_000
"""Bytes."""

Output = Callable[[str, str], None]
"""Takes a process's name and one line that it wrote."""


class AlreadyRunningError(Exception):
    """Another process holds the lock; its number is the message."""


@dataclass(frozen=True)
class Process:
    name: str
    command: str
    """One line for the shell."""

    @property
    def argv(self) -> list[str]:
        """The shell gives way to the command, so that signals reach it and nothing else."""
        return ["sh", "-c", f"exec {self.command}"]


def declared(procfile: Path) -> list[Process]:
    """Return what ``procfile`` names, in its order."""
    lines = procfile.read_text().splitlines()
    pairs = [line.split(":", 1) for line in lines if line.strip() and not line.startswith("#")]
    return [Process(name.strip(), command.strip()) for name, command in pairs]


def environment(python: Path) -> dict[str, str]:
    """Return our environment for the processes, which find the programs beside ``python``."""
    return {
        **os.environ,
        "PATH": os.pathsep.join([str(python.parent), os.environ.get("PATH", os.defpath)]),
        "PYTHONUNBUFFERED": "1",
        # Celery's advice to root, four lines at every start: Docker's processes are not root.
        "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",
    }


def tied(argv: Sequence[str]) -> list[str]:
    """Return ``argv`` such that the process is asked to end when its parent dies, however hard.

    Only Linux can do it; elsewhere the process would stay.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--", *argv] if setpriv else [*argv]


def trouble_listening(host: str, port: int) -> str:
    """Return why a server could not listen there; nothing if it could."""
    if port > 65535:
        return "there is no such port"
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as exc:
        return "something else listens there" if exc.errno == EADDRINUSE else str(exc.strerror)
    return ""


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Hold ``lock``, which the system lets go of when we die.

    Raises:
        AlreadyRunningError: another process holds it.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a+") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held.seek(0)
            raise AlreadyRunningError(held.read().strip()) from None
        held.truncate(0)
        held.write(str(os.getpid()))
        held.flush()
        yield


def to_terminal(processes: Sequence[Process]) -> Output:
    """Each line behind the name of its process."""
    width = max(len(process.name) for process in processes)
    return lambda name, line: print(f"{name:{width}} | {line}", flush=True)


def to_files(folder: Path) -> Output:
    """A file for each process; a full one is moved aside, in the place of the one before."""
    folder.mkdir(parents=True, exist_ok=True)

    def write(name: str, line: str) -> None:
        path = folder / f"{name}.log"
        if path.exists() and path.stat().st_size > LARGEST_LOG:
            path.replace(path.with_suffix(".log.old"))
        with path.open("a") as log:
            log.write(f"{line}\n")

    return write


def keep_running(
    processes: Sequence[Process],
    *,
    env: Mapping[str, str],
    output: Output,
    announce: Callable[[str], None],
) -> None:
    """Run ``processes`` until SIGINT, SIGTERM or SIGHUP, and start again what dies before."""
    keeper = _Keeper(env, output, announce)
    try:
        asyncio.run(keeper.keep_all(processes))
    except* BrokenPipeError:  # nobody reads any more; all of them have ended by now
        pass


@dataclass(frozen=True)
class _Keeper:
    env: Mapping[str, str]
    output: Output
    announce: Callable[[str], None]

    async def keep_all(self, processes: Sequence[Process]) -> None:
        asked = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, asked.set)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._keep(process, group)) for process in processes]
            await asked.wait()
            self.announce(f"Stopping; running work may take up to {GRACE:.0f} s.")
            for task in tasks:
                task.cancel()
        self.announce("Stopped.")

    async def _keep(self, process: Process, group: asyncio.TaskGroup) -> None:
        """Start ``process`` again and again; when cancelled, end it."""
        pause = 0.0
        while True:
            started = time.monotonic()
            # A pipe of our own: with asyncio's, a process would count as running for as long as
            # one of its children holds the pipe.
            source, sink = os.pipe()
            try:
                child = await asyncio.create_subprocess_exec(
                    *tied(process.argv),
                    env=self.env,
                    stdin=DEVNULL,
                    stdout=sink,
                    stderr=STDOUT,
                    start_new_session=True,  # the terminal's Ctrl-C is for us alone
                )
            finally:
                os.close(sink)
            # In the group: if its output has nowhere to go, all of them end.
            copying = group.create_task(self._copy(process.name, source))
            try:
                self.announce(f"{process.name}: started as process {child.pid}.")
                await child.wait()
            finally:
                await _end(child)
                await asyncio.wait([copying], timeout=1)
                copying.cancel()
            died_at_once = time.monotonic() - started < STEADY
            pause = min(max(1.0, pause * 2), LONGEST_PAUSE) if died_at_once else 1.0
            self.announce(f"{process.name}: {_how(child)}; starting again in {pause:.0f} s.")
            await asyncio.sleep(pause)

    async def _copy(self, name: str, source: int) -> None:
        stream = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(source, "rb")
        )
        rest = b""
        try:
            while chunk := await stream.read(65536):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self.output(name, line.decode(errors="replace"))
            if rest:
                self.output(name, rest.decode(errors="replace"))
        finally:
            transport.close()


async def _end(child: asyncio.subprocess.Process) -> None:
    """Ask the process to finish, then kill what is left of it and of its children."""
    if child.returncode is None:
        with suppress(ProcessLookupError):
            child.terminate()
        with suppress(TimeoutError):
            await asyncio.wait_for(child.wait(), GRACE)
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    await child.wait()


def _how(child: asyncio.subprocess.Process) -> str:
    code = child.returncode or 0
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"

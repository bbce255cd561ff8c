"""Keep the processes of the Procfile running on a host without Docker and systemd.

We do not use supervisord: its own lines overwrite the lines of the processes in an output file,
under systemd (a socket) it cannot start them, and children of a killed process keep running.
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

STOP_SECONDS = 20.0  # time to finish work; the lease of a task that is killed then expires
MAX_RESTART_PAUSE = 30.0  # seconds before the next start of a process that keeps dying at once
MIN_UPTIME = 10.0  # seconds; a process that ran longer is restarted after the shortest pause
MAX_LOG_BYTES = 10_000_000

Output = Callable[[str, str], None]  # called with the name of a process and one line of its output


class AlreadyRunningError(Exception):
    """Another process holds the lock; the message is its process id."""


@dataclass(frozen=True)
class Process:
    name: str
    command: str  # one line for the shell

    @property
    def argv(self) -> list[str]:
        """The command replaces the shell, so that it receives the signals itself."""
        return ["sh", "-c", f"exec {self.command}"]


def read_procfile(procfile: Path) -> list[Process]:
    lines = procfile.read_text().splitlines()
    pairs = [line.split(":", 1) for line in lines if line.strip() and not line.startswith("#")]
    return [Process(name.strip(), command.strip()) for name, command in pairs]


def environment(python: Path) -> dict[str, str]:
    """Return our environment, with the programs beside ``python`` first in the path."""
    return {
        **os.environ,
        "PATH": os.pathsep.join([str(python.parent), os.environ.get("PATH", os.defpath)]),
        "PYTHONUNBUFFERED": "1",
        # Celery warns root in four lines at every start; in Docker the processes are not root.
        "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",
    }


def ending_with_parent(argv: Sequence[str]) -> list[str]:
    """Add to ``argv`` that the process gets SIGTERM when its parent dies, also by SIGKILL.

    Only Linux can do this; elsewhere the process would keep running.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--", *argv] if setpriv else [*argv]


def why_not_listening(host: str, port: int) -> str:
    """Return why a server could not listen there; "" if it could."""
    if port > 65535:
        return "there is no such port"
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as exc:
        return "another program listens there" if exc.errno == EADDRINUSE else str(exc.strerror)
    return ""


@contextmanager
def exclusive(lock: Path) -> Iterator[None]:
    """Hold ``lock``, which the system releases when this process dies.

    Raises:
        AlreadyRunningError: another process holds it.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise AlreadyRunningError(file.read().strip()) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def terminal_output(processes: Sequence[Process]) -> Output:
    """Print each line after the name of its process."""
    width = max(len(process.name) for process in processes)
    return lambda name, line: print(f"{name:{width}} | {line}", flush=True)


def file_output(folder: Path) -> Output:
    """Write a log file for each process; a full file replaces the old one of the process."""
    folder.mkdir(parents=True, exist_ok=True)

    def write(name: str, line: str) -> None:
        path = folder / f"{name}.log"
        if path.exists() and path.stat().st_size > MAX_LOG_BYTES:
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
    """Run ``processes`` until SIGINT, SIGTERM or SIGHUP, and restart processes that die."""
    supervisor = _Supervisor(env, output, announce)
    try:
        asyncio.run(supervisor.run_all(processes))
    except* BrokenPipeError:  # nobody reads the output any more; all processes have ended by now
        pass


@dataclass(frozen=True)
class _Supervisor:
    env: Mapping[str, str]
    output: Output
    announce: Callable[[str], None]

    async def run_all(self, processes: Sequence[Process]) -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._run(process, group)) for process in processes]
            await stop.wait()
            self.announce(f"Stopping; running work may take up to {STOP_SECONDS:.0f} s.")
            for task in tasks:
                task.cancel()
        self.announce("Stopped.")

    async def _run(self, process: Process, group: asyncio.TaskGroup) -> None:
        """Start ``process`` whenever it ends; end it when this task is cancelled."""
        pause = 0.0
        while True:
            started = time.monotonic()
            # With a pipe of asyncio a process would count as running until all of its children
            # have closed the pipe.
            source, sink = os.pipe()
            try:
                child = await asyncio.create_subprocess_exec(
                    *ending_with_parent(process.argv),
                    env=self.env,
                    stdin=DEVNULL,
                    stdout=sink,
                    stderr=STDOUT,
                    start_new_session=True,  # so that Ctrl-C reaches only us
                )
            finally:
                os.close(sink)
            # The task is in the group, so that all processes end if the output cannot be written.
            copying = group.create_task(self._copy(process.name, source))
            try:
                self.announce(f"{process.name}: started as process {child.pid}.")
                await child.wait()
            finally:
                await _end(child)
                await asyncio.wait([copying], timeout=1)
                copying.cancel()
            died_at_once = time.monotonic() - started < MIN_UPTIME
            pause = min(max(1.0, pause * 2), MAX_RESTART_PAUSE) if died_at_once else 1.0
            self.announce(f"{process.name}: {_exit_text(child)}; starting again in {pause:.0f} s.")
            await asyncio.sleep(pause)

    async def _copy(self, name: str, source: int) -> None:
        stream = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(source, "rb")
        )
        partial = b""
        try:
            while chunk := await stream.read(65536):
                *lines, partial = (partial + chunk).split(b"\n")
                for line in lines:
                    self.output(name, line.decode(errors="replace"))
            if partial:
                self.output(name, partial.decode(errors="replace"))
        finally:
            transport.close()


async def _end(child: asyncio.subprocess.Process) -> None:
    """Ask the process to finish, then kill it and its children if they still run."""
    if child.returncode is None:
        with suppress(ProcessLookupError):
            child.terminate()
        with suppress(TimeoutError):
            await asyncio.wait_for(child.wait(), STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    await child.wait()


def _exit_text(child: asyncio.subprocess.Process) -> str:
    code = child.returncode or 0
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"

"""The sandbox as a process: how it is started, what it says, how it ends."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from batchapp.sandbox import ledger as ledgers
from batchapp.sandbox.faults.switches import Rule
from batchapp.sandbox.network import PORT_AGAIN, SandboxServer, listening_socket
from batchapp.sandbox.server import application
from batchapp.sandbox.settings import Settings
from batchapp.sandbox.state import now
from batchapp.sandbox.store import looking_into


def run(
    *,
    host: str,
    port: int | None,
    data: Path,
    speed: float,
    seed: int | None,
    fault: Sequence[Rule],
    faults: Sequence[Rule],
    ledger: bool,
) -> int:
    """Do what the options say; return the process's exit status."""
    if ledger:
        return print_ledger(Settings(data=data, speed=speed))
    if port is None:
        sys.stderr.write("sandbox: --port is needed to listen\n")
        return 2
    settings = Settings(data=data, speed=speed, seed=1 if seed is None else seed)
    is_told = seed is not None or bool(fault) or bool(faults)
    return serve(settings, host, port, [*fault, *faults], is_told=is_told)


def print_ledger(settings: Settings) -> int:
    """Write the ledger of a data folder to standard output, whether or not it is served."""
    if not (settings.data / "sandbox.sqlite3").exists():
        sys.stderr.write(f"sandbox: there is no sandbox in {settings.data}\n")
        return 1
    with looking_into(settings.data) as connection:
        found = ledgers.ledger(connection, now(), settings)
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(found)).decode() + "\n")
    return 0


def serve(
    settings: Settings, host: str, port: int, rules: Sequence[Rule], *, is_told: bool
) -> int:
    """Serve until interrupted; return the process's exit status.

    ``port`` 0 takes any free one; the line on standard output names it.
    """
    port = int(os.environ.pop(PORT_AGAIN, port))
    try:
        listener = listening_socket(host, port)
    except OSError as exc:
        reason = str(exc.strerror).partition(" (")[0]
        sys.stderr.write(f"sandbox: cannot listen on {host}:{port}: {reason}\n")
        return 1
    bound = f"http://{host}:{listener.getsockname()[1]}"
    app = application(settings)
    app.book.set_options(rules, now())

    def greet() -> None:
        """Say that it is ready, for people and for waiting scripts."""
        data, speed = settings.data, settings.speed
        sys.stdout.write(f"sandbox: listening on {bound}, data in {data}, speed {speed:g}\n")
        if is_told or app.book.rules:
            count = len(app.book.rules)
            sys.stdout.write(f"sandbox: seed {settings.seed}, {count} rules of faults in force\n")
        sys.stdout.flush()

    server = SandboxServer(
        app, app.network, job=app.deliveries.run, on_ready=greet, may_restart=True
    )
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    finally:
        app.store.close()
        listener.close()
    return 0

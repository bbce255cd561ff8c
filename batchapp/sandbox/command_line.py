"""The command line of the sandbox, the same with Django and without."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from batchapp.sandbox.api.catalogue import CHAT_MODELS
from batchapp.sandbox.application import make_application
from batchapp.sandbox.faults.switches import Rule, RuleSpec, SwitchError, parse_rule
from batchapp.sandbox.guise import DOUBLEWORD, GUISES
from batchapp.sandbox.ledger import ledger as make_ledger
from batchapp.sandbox.prompt_cache.tariffs import CacheSettings
from batchapp.sandbox.server import RESTART_PORT_VARIABLE, SandboxServer, open_listener
from batchapp.sandbox.settings import Settings
from batchapp.sandbox.store import open_read_only

NAMES = (
    *("host", "port", "data", "guise", "speed", "seed", "fault", "faults", "prompt_cache"),
    "ledger",
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, help="port; 0 selects a free one")
    parser.add_argument(
        "--data", type=Path, required=True, help="data folder; created if it does not exist"
    )
    parser.add_argument("--guise", choices=GUISES, default=DOUBLEWORD, help="whose API it speaks")
    parser.add_argument(
        "--speed", type=_speed, default=1.0, help="divides all simulated durations (default 1)"
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        type=_rule,
        metavar="SWITCH",
        help="a fault such as lost-reply/create#1; may be repeated",
    )
    parser.add_argument(
        "--faults", type=_rules, default=[], metavar="FILE", help="faults as a JSON list"
    )
    parser.add_argument("--seed", type=int, help="seed of random faults (default 1)")
    parser.add_argument(
        "--prompt-cache",
        action="store_true",
        help="turn on the prompt cache, with a cache tariff for every chat model",
    )
    parser.add_argument(
        "--ledger",
        action="store_true",
        help="print every batch in --data and its cost as JSON, and exit",
    )


def run(
    *,
    host: str,
    port: int | None,
    data: Path,
    guise: str,
    speed: float,
    seed: int | None,
    fault: Sequence[Rule],
    faults: Sequence[Rule],
    prompt_cache: bool,
    ledger: bool,
) -> int:
    """Execute the command line; return the exit status of the process."""
    if ledger:
        return print_ledger(Settings(data=data, speed=speed))
    if port is None:
        sys.stderr.write("sandbox: --port is needed to listen\n")
        return 2
    settings = Settings(
        data=data,
        guise=guise,
        speed=speed,
        seed=1 if seed is None else seed,
        cache=CacheSettings.for_models(CHAT_MODELS) if prompt_cache else CacheSettings(),
    )
    has_fault_options = seed is not None or bool(fault) or bool(faults)
    return serve(settings, host, port, [*fault, *faults], has_fault_options=has_fault_options)


def print_ledger(settings: Settings) -> int:
    """Print the ledger of a data folder, also while another process serves the folder."""
    if not (settings.data / "sandbox.sqlite3").exists():
        sys.stderr.write(f"sandbox: there is no sandbox in {settings.data}\n")
        return 1
    with open_read_only(settings.data) as connection:
        content = make_ledger(connection, time.time(), settings)
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(content)).decode() + "\n")
    return 0


def serve(
    settings: Settings, host: str, port: int, rules: Sequence[Rule], *, has_fault_options: bool
) -> int:
    """Serve until interrupted; return the exit status of the process.

    The first line of the standard output names the port.
    """
    port = int(os.environ.pop(RESTART_PORT_VARIABLE, port))
    try:
        listener = open_listener(host, port)
    except OSError as exc:
        reason = str(exc.strerror).partition(" (")[0]
        sys.stderr.write(f"sandbox: cannot listen on {host}:{port}: {reason}\n")
        return 1
    url = f"http://{host}:{listener.getsockname()[1]}"
    app = make_application(settings)
    app.faults.set_options(rules, time.time())

    def print_address() -> None:
        data, speed = settings.data, settings.speed
        sys.stdout.write(f"sandbox: listening on {url}, data in {data}, speed {speed:g}\n")
        if has_fault_options or app.faults.rules:
            count = len(app.faults.rules)
            sys.stdout.write(f"sandbox: seed {settings.seed}, {count} rules of faults in force\n")
        sys.stdout.flush()

    server = SandboxServer(
        app,
        app.server_control,
        background_job=app.deliveries.run,
        on_ready=print_address,
        may_restart=True,
    )
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    finally:
        app.store.close()
        listener.close()
    return 0


def _speed(text: str) -> float:
    speed = float(text)
    if not speed > 0:
        raise argparse.ArgumentTypeError("must be greater than 0")
    return speed


def _rule(text: str) -> Rule:
    try:
        return parse_rule(text)
    except SwitchError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


def _rules(text: str) -> list[Rule]:
    try:
        specs = msgspec.json.decode(Path(text).read_bytes(), type=list[RuleSpec | str])
        return [parse_rule(spec) for spec in specs]
    except (OSError, msgspec.DecodeError, SwitchError) as exc:
        raise argparse.ArgumentTypeError(f"{text}: {exc}") from exc

"""Messages through four processes while processes are killed and the disk is full at times.

python -m tests.faults.broker_storm --messages 50000 --kills 60 --seed 7
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.broker_processes import read
from tests.processes.portal import ROOT

WORKER = ["-m", "celery", "--quiet", "-A", "tests.faults.broker_processes", "worker"]
WORKER += ["--pool", "solo", "--without-gossip", "--without-mingle", "--without-heartbeat"]
PUBLISHER = ["-m", "tests.faults.broker_processes"]
FULL_SECONDS = 1.0


@dataclass
class Outcome:
    """How every message ended. Each row is sent again until it has moved, as by the tick."""

    rows: int
    sent: int = 0
    moved: int = 0
    dropped: int = 0  # messages that left a line in the log
    in_hand: int = 0  # messages that can have been with a process at the instant of its kill
    attempts: int = 0
    kills: int = 0
    fills: int = 0
    exits: list[str] = field(default_factory=list)  # what ended without being killed
    unmoved: set[int] = field(default_factory=set)
    left: list[str] = field(default_factory=list)  # messages that nobody took
    seconds: float = 0.0

    @property
    def complaints(self) -> list[str]:
        lost = self.sent - self.moved - self.dropped - self.in_hand
        complaints = [f"ended by itself: {line}" for line in self.exits]
        complaints += [f"rows that never moved: {len(self.unmoved)}"] if self.unmoved else []
        complaints += [f"messages that block: {self.left}"] if self.left else []
        return complaints + ([f"messages lost without a reason: {lost}"] if lost > 0 else [])


@dataclass
class _Storm:
    queue: Path
    folder: Path
    dice: random.Random
    outcome: Outcome
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *args: str) -> None:
        moved = self.folder / f"moved-{name}"
        env = os.environ | {"QUEUE": str(self.queue), "MOVED": str(moved)}
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, *args], cwd=ROOT, env=env, stdout=log, stderr=log
            )

    def start_worker(self, name: str) -> None:
        self.start(name, *WORKER, "--hostname", f"{name}@localhost")

    def start_publisher(self, name: str) -> None:
        sent = str(self.folder / f"sent-{name}")
        rows = str(self.folder / f"rows-{name}")
        self.start(name, *PUBLISHER, rows, str(self.outcome.attempts), sent)

    def restart(self, name: str) -> None:
        self.running.pop(name)
        (self.start_worker if name.startswith("worker") else self.start_publisher)(name)

    def kill_one(self) -> None:
        name = self.dice.choice(sorted(self.running))
        self.running[name].kill()
        if self.running[name].wait() == -9:
            self.outcome.kills += 1
            self.outcome.in_hand += 1  # a worker takes one message at a time
        self.restart(name)

    def fill_disk(self) -> None:
        filler = self.queue / "filler"
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))
        time.sleep(FULL_SECONDS)
        filler.unlink()
        self.outcome.fills += 1

    def look(self) -> None:
        """Note and start again what ended by itself; forget a publisher that is done."""
        for name, process in list(self.running.items()):
            if process.poll() is None:
                continue
            if name.startswith("publisher") and process.returncode == 0:
                del self.running[name]
            else:
                self.outcome.exits.append(f"{name} with exit code {process.returncode}")
                self.restart(name)

    @property
    def is_publishing(self) -> bool:
        return any(name.startswith("publisher") for name in self.running)

    @property
    def has_sent(self) -> bool:
        return any(path.stat().st_size for path in self.folder.glob("sent-*"))

    def messages(self) -> list[str]:
        return [path.name for path in self.queue.rglob("*.msg")]

    def ledger(self, kind: str) -> set[tuple[int, int]]:
        return set().union(*(read(path) for path in self.folder.glob(f"{kind}-*")))

    def unmoved(self) -> set[int]:
        return set(range(self.outcome.rows)) - {row for row, _ in self.ledger("moved")}


def endure(queue: Path, folder: Path, *, rows: int, kills: int, fills: int, seed: int) -> Outcome:
    """Send ``rows`` through two publishers and two workers; ``queue`` is on a small disk."""
    outcome = Outcome(rows)
    storm = _Storm(queue, folder, random.Random(seed), outcome)
    begun = time.monotonic()
    try:
        for name in ("worker-1", "worker-2"):
            storm.start_worker(name)
        while (unmoved := sorted(storm.unmoved())) and outcome.attempts < 20:
            outcome.attempts += 1
            for half in (0, 1):
                name = f"publisher-{half}"
                (folder / f"rows-{name}").write_text(" ".join(map(str, unmoved[half::2])))
                storm.start_publisher(name)
            _until_taken(storm, kills, fills)
    finally:
        for process in storm.running.values():
            process.kill()
            process.wait()
    sent, moved = storm.ledger("sent"), storm.ledger("moved")
    outcome.sent, outcome.moved = len(sent | moved), len(moved)
    outcome.unmoved, outcome.left = storm.unmoved(), storm.messages()
    logs = "".join(path.read_text() for path in folder.glob("*.log"))
    outcome.dropped = logs.count(" was dropped: ")
    outcome.seconds = time.monotonic() - begun
    return outcome


def _until_taken(storm: _Storm, kills: int, fills: int) -> None:
    """Let accidents happen until no message of this attempt is left; a minute at most after."""
    outcome = storm.outcome
    while storm.is_publishing and not storm.has_sent:  # a new process imports for a second
        storm.look()
        time.sleep(0.01)
    quiet_since = time.monotonic()
    while storm.is_publishing or (storm.messages() and time.monotonic() - quiet_since < 60):
        storm.look()
        if storm.is_publishing:
            quiet_since = time.monotonic()
            if outcome.fills < fills:
                storm.fill_disk()
            if outcome.kills < kills:
                storm.kill_one()
        time.sleep(storm.dice.uniform(0.2, 0.8))  # after, for a fast machine sends all in a second
    time.sleep(0.5)  # for the messages that were taken last


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a file system in memory that is soon full.

    Raises:
        PermissionError: only root with the right to mount can do this.
    """
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "none", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        raise PermissionError("a small file system cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--messages", type=int, default=50_000)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(10**9))
    parser.add_argument("--disk", default="16m", help="the size of the disk of the queue")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="batchapp-broker-")))
        queue = stack.enter_context(small_disk(folder / "disk", options.disk))
        outcome = endure(
            queue,
            folder,
            rows=options.messages,
            kills=options.kills,
            fills=options.kills // 3,
            seed=options.seed,
        )
    sys.stdout.write(f"seed {options.seed}: {outcome}\n")
    sys.exit("\n".join(outcome.complaints) or 0)  # an empty text would be a failure, too


if __name__ == "__main__":
    main()

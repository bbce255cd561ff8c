"""A worker and a publisher of the embedded broker: real Celery with one task that writes a line.

Called as ``celery -A tests.faults.broker_processes worker``, and as ``python -m
tests.faults.broker_processes`` with a file of row numbers, the number of the attempt and a ledger.
"""

import os
import sys
from pathlib import Path

from celery import Celery

app = Celery("broker_storm", set_as_current=False)
app.conf.update(
    broker_url="filesystem://localhost",
    broker_transport="config.file_broker:Transport",
    broker_transport_options={"folder": os.environ.get("QUEUE"), "polling_interval": 0.01},
    broker_connection_retry_on_startup=True,
    task_acks_late=True,
    task_ignore_result=True,
    worker_enable_remote_control=False,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
)


@app.task(name="move")
def move(row: int, attempt: int) -> None:
    append(Path(os.environ["MOVED"]), row, attempt)


def append(ledger: Path, row: int, attempt: int) -> None:
    """Add one line in one call of the system, which a kill cannot divide."""
    with ledger.open("ab", buffering=0) as file:
        file.write(f"{row} {attempt}\n".encode())


def read(ledger: Path) -> set[tuple[int, int]]:
    """Return the rows with their attempts."""
    lines = ledger.read_text().splitlines() if ledger.exists() else []
    return {(int(row), int(attempt)) for row, attempt in map(str.split, lines)}


def publish(rows: Path, attempt: int, sent: Path) -> None:
    """Send a message for each row, but the rows that an earlier process sent in this attempt."""
    done = read(sent)
    for row in map(int, rows.read_text().split()):
        if (row, attempt) not in done:
            move.delay(row, attempt)
            append(sent, row, attempt)


if __name__ == "__main__":
    publish(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))

"""Workers on several machines: nothing is shared but PostgreSQL, Redis and the folder of files."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from tests.faults.orders import Customer
from tests.faults.storm import Plan, endure
from tests.processes.portal import ROOT, Portal, portal, until

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(
        "DATABASE_URL" not in os.environ,
        reason="the embedded stack is one host: its database and broker are files of that host",
    ),
]
PLAN = Plan(
    seed=20_261_125,
    batches=8,
    at_once=8,
    requests=(20, 60),
    faults=[""],
    shapes=["plain"],
    actions=["nothing"],
)
# The log line of a step that each row does once.
STEP = re.compile(
    r"\b(upload|providerbatch|batch) (\S+): "
    r"(check_upload|prepare_provider_batch|submit|settle_batch), now (\w+)"
)


@contextmanager
def another_worker(folder: Path, shared: Path, env: dict[str, str]) -> Iterator[list[str]]:
    """A machine with its own copy of the portal and its own data; yields its worker's log."""
    for name in ("batchapp", "config", "templates"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("manage.py", "Procfile"):
        shutil.copy(ROOT / name, folder / name)
    mount(folder / "var", shared)
    log: list[str] = []
    with subprocess.Popen(
        [sys.executable, "manage.py", "serve", "worker"],
        cwd=folder,
        env={name: value for name, value in env.items() if name != "DATA_DIR"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as worker:
        listener = threading.Thread(target=lambda: log.extend(worker.stdout or []))
        listener.start()
        try:
            yield log
        finally:
            os.killpg(worker.pid, signal.SIGKILL)
            listener.join()


def mount(data_dir: Path, shared: Path) -> None:
    data_dir.mkdir()
    (data_dir / "files").symlink_to(shared)


def steps(log: list[str]) -> Counter[tuple[str, ...]]:
    return Counter(found.groups() for line in log.copy() if (found := STEP.search(line)))


def test_two_workers_on_machines_of_their_own_split_the_work_and_one_may_be_lost(
    tmp_path: Path,
) -> None:
    shared, here = tmp_path / "shared", tmp_path / "here"
    shared.mkdir()
    mount(here, shared)
    secrets = {"SECRET_KEY": "s" * 64, "ENCRYPTION_KEYS": Fernet.generate_key().decode()}
    theirs: Counter[tuple[str, ...]] = Counter()

    with portal(here, speed=10, **secrets) as running:
        ours = running.log

        def both_work_until_one_is_lost(customer: Customer) -> None:
            env = running.env | secrets
            with another_worker(tmp_path / "there", shared, env) as log:
                for kind in ("submit", "settle_batch"):
                    until(
                        lambda kind=kind: _has(kind, log, running), f"both to {kind}", running.tail
                    )
            theirs.update(steps(log))

        found = endure(running, PLAN, both_work_until_one_is_lost)
        done = steps(ours) + theirs

    assert found.proof.complaints == []
    assert theirs
    assert {step: times for step, times in done.items() if times > 1} == {}
    assert len({row for model, row, *_ in done if model == "batch"}) == found.proof.batches


def _has(kind: str, log: list[str], running: Portal) -> bool:
    return all(any(step[2] == kind for step in steps(each)) for each in (log, running.log))

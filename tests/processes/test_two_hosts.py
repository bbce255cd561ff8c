"""A web server and workers that share no folder, but database, Redis and object storage."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from cryptography.fernet import Fernet

from batchapp.management.console_client import ConsoleClient, UnexpectedPage
from tests.processes.portal import PASSWORD, ROOT, Portal, is_up, portal, until
from tests.stack import free_port

SAMPLE = ROOT / "batchapp/data/samples/chat.jsonl"

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif("STORAGE_URL" not in os.environ, reason="one host has one folder"),
]


@contextmanager
def web_server(other_host: Portal, folder: Path) -> Iterator[str]:
    """Run a web server that has a folder of its own, and yield its address."""
    shutil.copytree(Path(other_host.env["DATA_DIR"], "static"), folder / "static")
    port = free_port()
    url = f"http://localhost:{port}"
    env = other_host.env | {"DATA_DIR": str(folder), "PORT": str(port), "PUBLIC_URL": url}
    with subprocess.Popen(
        [sys.executable, "manage.py", "serve", "web"],
        cwd=ROOT,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            until(lambda: is_up(f"{url}/readyz"), url)
            yield url
        finally:
            os.killpg(process.pid, signal.SIGTERM)


def test_a_file_goes_in_at_one_host_and_the_other_works_on_it(tmp_path: Path) -> None:
    secrets = {"SECRET_KEY": "s" * 50, "ENCRYPTION_KEYS": Fernet.generate_key().decode()}
    web_folder, worker_folder = tmp_path / "web", tmp_path / "worker"
    with (
        portal(worker_folder, speed=20, **secrets) as workers,
        web_server(workers, web_folder) as url,
        ConsoleClient(url) as console,
    ):
        workers.bootstrap()
        console.sign_in("ana@example.com", PASSWORD)
        upload = console.upload("demo", SAMPLE, progress=lambda _: None)

        def form_of_order() -> dict[str, str] | None:
            with suppress(UnexpectedPage):  # the worker has not checked the file yet
                return console.order_form(upload, window="24h")
            return None

        form = until(form_of_order, "the file to be checked", workers.tail)
        batch = console.submit(upload, form)

        until(lambda: console.count_lines(batch, "output") == 300, "the answers", workers.tail)
        health = httpx.get(f"{url}/healthz", trust_env=False, timeout=60).json()
        page = console._get(f"/batches/{batch}/results/").text

    assert set(health.values()) == {"ok"}
    assert "custom_id" in page
    kept = [path for path in tmp_path.rglob("*.jsonl") if "sandbox" not in path.parts]
    assert kept == []

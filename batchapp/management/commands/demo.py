"""``manage.py demo``: run the whole portal on this machine and send a sample through it."""

import json
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from batchapp.management.console_client import ConsoleClient, UnexpectedPage
from batchapp.management.processes import ending_with_parent, why_not_listening
from batchapp.management.progress_bar import Bar
from batchapp.models import Batch, ProviderBatch, Upload
from batchapp.presenters.batches.waiting_reasons import needs_attention
from batchapp.presenters.problem_text import problem_text
from config import env

EMAIL = "demo@example.com"
SAMPLE = settings.BASE_DIR / "batchapp/data/samples/chat.jsonl"
STEP_SECONDS = 300  # limit of each step of the demo


class Command(BaseCommand):
    help = (
        "Start the portal and a sandbox provider, send a sample file through the console, and "
        "stay up until Ctrl-C. With DEMO_EXIT=1 stop after the summary; the exit status is then "
        "0 only if every request is accounted for."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--file", type=Path, default=SAMPLE, help="another file of requests")
        parser.add_argument("--window", default="24h")

    def handle(self, **options: Any) -> None:
        started = time.monotonic()
        port = env.integer("PORT", 8000)
        if trouble := why_not_listening("127.0.0.1", port):
            raise CommandError(f"Port {port}: {trouble}. Try another: PORT={port + 1} make demo")
        sandbox_url = f"http://127.0.0.1:{_free_port()}"
        password = env.secret(
            "DEMO_PASSWORD",
            settings.DATA_DIR / "secrets/demo_password",
            lambda: secrets.token_urlsafe(9),
        )
        for number in (signal.SIGINT, signal.SIGTERM):  # a shell may have set them to be ignored
            signal.signal(number, signal.default_int_handler)
        with (
            _processes(port, sandbox_url) as processes,
            ConsoleClient(f"http://localhost:{port}") as console,
        ):
            self.stdout.write("Starting web, worker, beat and a sandbox provider ...")
            self.stdout.flush()
            _wait_until_up(f"http://localhost:{port}/readyz", processes)
            _wait_until_up(f"{sandbox_url}/healthz", processes)
            project = _bootstrap(sandbox_url, password)
            try:
                console.sign_in(EMAIL, password)
                batch = _send_file(console, project, options["file"], options["window"])
            except UnexpectedPage as exc:
                raise CommandError(f"The demo got stuck: {exc}. Logs: {_logs()}") from exc
            self._summarise(batch, port, password, time.monotonic() - started)
            if not batch.is_accounted_for:
                raise CommandError("Not every request is accounted for.")
            if env.flag("DEMO_EXIT", default=False):
                return
            self.stdout.write("Running until Ctrl-C.")
            self.stdout.flush()
            try:
                processes.wait()
            except KeyboardInterrupt:
                self.stdout.write("\nStopping ...")
                return
            raise CommandError(f"The portal stopped by itself. Logs: {_logs()}")

    def _summarise(self, batch: Batch, port: int, password: str, seconds: float) -> None:
        rows = {
            "requests": f"{batch.requests:,}",
            "succeeded": f"{batch.succeeded:,}",
            "failed": f"{batch.failed:,}",
            "tokens": f"{batch.input_tokens:,} in, {batch.output_tokens:,} out",
            "estimated cost": _dollars(batch.estimated_cost_usd),
            "actual cost": f"{_dollars(batch.actual_cost_usd)} (sandbox: nothing was paid)",
            "seconds": f"{seconds:.1f}",
            "console": f"http://localhost:{port}{batch.get_absolute_url()}",
            "sign in as": f"{EMAIL}, password {password}",
        }
        self.stdout.write("")
        for name, value in rows.items():
            self.stdout.write(f"  {name:<15} {value}")
        self.stdout.write("")


def _send_file(console: ConsoleClient, project: str, path: Path, window: str) -> Batch:
    """Upload, order and follow the file through the pages; return the finished batch."""
    bar = Bar("Upload", path.stat().st_size, "bytes")
    upload_id = console.upload(project, path, progress=bar.update)
    bar.finish()

    upload = Upload.objects.get(pk=upload_id)
    lines = path.read_bytes().count(b"\n")
    with _bar("Check", lines, "lines") as update:
        while upload.status == Upload.Status.CHECKING:
            update(upload.lines_checked)
            upload.refresh_from_db()
    if upload.status != Upload.Status.READY:
        raise UnexpectedPage(f"the file is not ready: {upload.report_fields or upload.problem}")

    batch_id = console.order(upload_id, window=window)
    requests = upload.requests or 0
    provider_batch = ProviderBatch.objects.get(batch_id=batch_id)
    with _bar("Submit", 1, "batch") as update:
        while not provider_batch.remote_id:
            update(0)
            _refresh(provider_batch)
    with _bar("Run", requests, "requests") as update:
        while not provider_batch.ended_at:
            update(provider_batch.completed + provider_batch.failed)
            _refresh(provider_batch)
    with _bar("Harvest", requests, "results") as update:
        while not (batch := Batch.objects.get(pk=batch_id)).is_over:
            _refresh(provider_batch)
            update(provider_batch.output_lines + provider_batch.error_lines)
    _compare(console, batch_id, batch)
    return batch


def _compare(console: ConsoleClient, batch_id: UUID, batch: Batch) -> None:
    """Compare the lines of the downloads with the counts of the batch."""
    lines = console.count_lines(batch_id, "output"), console.count_lines(batch_id, "error")
    if sum(lines) != batch.succeeded + batch.failed:
        raise UnexpectedPage(
            f"the downloads have {lines} lines, the batch {batch.succeeded} answers"
        )


@contextmanager
def _bar(label: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """Return a function for a loop: it updates a bar, waits a little, and limits the time."""
    bar, deadline = Bar(label, total, unit), time.monotonic() + STEP_SECONDS

    def update(done: int) -> None:
        bar.update(done)
        if time.monotonic() > deadline:
            raise UnexpectedPage(f"{label.lower()} took more than {STEP_SECONDS} seconds")
        time.sleep(0.1)

    yield update
    bar.finish()


def _refresh(provider_batch: ProviderBatch) -> None:
    provider_batch.refresh_from_db()
    if needs_attention(provider_batch):
        raise UnexpectedPage(problem_text(provider_batch.problem))


def _bootstrap(sandbox_url: str, password: str) -> str:
    """Set up a person, a project and a connection; return the slug of the project."""
    out = StringIO()
    call_command(
        "bootstrap",
        email=EMAIL,
        password=password,
        project="Demo",
        connection="Sandbox",
        base_url=sandbox_url,
        provider_key="sk-demo-sandbox-key",
        poll_seconds=1,
        stdout=out,
    )
    return str(json.loads(out.getvalue())["project"]["slug"])


@contextmanager
def _processes(port: int, sandbox_url: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the processes of the portal and the sandbox until the block ends."""
    sandbox_port = sandbox_url.rpartition(":")[2]
    data = str(settings.DATA_DIR / "sandbox")
    sandbox = shlex.join(
        [sys.executable, "manage.py", "sandbox", "--port", sandbox_port, "--data", data]
    )
    public = os.environ.get("PUBLIC_URL") or f"http://localhost:{port}"
    processes = subprocess.Popen(
        ending_with_parent(
            [sys.executable, "manage.py", "serve", "--logs", "--with", f"sandbox={sandbox}"]
        ),
        cwd=settings.BASE_DIR,
        env=os.environ | {"PORT": str(port), "PUBLIC_URL": public},
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # so that Ctrl-C reaches only us
    )
    try:
        yield processes
    finally:
        processes.terminate()
        processes.wait()


def _wait_until_up(url: str, processes: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if processes.poll() is not None:
            raise CommandError(f"The portal did not start. Logs: {_logs()}")
        try:
            if httpx.get(url, trust_env=False).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise CommandError(f"{url} did not answer within a minute. Logs: {_logs()}")


def _logs() -> Path:
    return settings.DATA_DIR / "logs"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _dollars(amount: Any) -> str:
    return "no price" if amount is None else f"${amount:.6f}"

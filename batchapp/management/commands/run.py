"""Send one file through the portal from a script: the same services, the same workers."""

import json
import time
import uuid
from argparse import ArgumentParser
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files import File
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection
from django.urls import reverse

from batchapp import tasks
from batchapp.management.people import member_of
from batchapp.models import Batch, Project, ProviderBatch, ProviderKey, ResultChunk, Upload, User
from batchapp.services.files import upload_intake
from batchapp.services.orders import place_order
from batchapp.services.results import browse

LOOK_EVERY = 0.5
"""Seconds between two looks at the batch while waiting."""

NO_WORKER_AFTER = 20
"""Seconds without any step taken after which we wonder aloud whether a worker runs."""


class Command(BaseCommand):
    help = (
        "Check FILE, submit it, and with --wait follow it to its results. The exit status is 0 "
        "only when every request is accounted for (without --wait: when it was submitted)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path)
        parser.add_argument("--project", metavar="SLUG", required=True)
        parser.add_argument("--window", default="24h", help="completion window, 24h by default")
        parser.add_argument(
            "--fallback",
            metavar="WINDOW",
            default="",
            help="a longer one, to run it in if the provider has no room for it; by default none",
        )
        parser.add_argument("--name", default="", help="of the batch; by default the file's")
        parser.add_argument("--user", metavar="EMAIL", help="by default the project's first admin")
        parser.add_argument("--wait", action="store_true", help="until it is over")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument(
            "--output-dir", type=Path, metavar="DIR", help="by default below DATA_DIR/exports"
        )

    def handle(self, **options: Any) -> None:
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            raise CommandError(f"There is no project {options['project']!r}.")
        user = member_of(project, options["user"])
        upload = _upload(project, user, options["file"])
        self._note(f"{upload.name}: {upload.requests:,} requests, no errors")
        batch = _order(project, user, upload, options)
        self._note(f"submitted as {batch.pk}")
        paths: dict[str, str | None] = {"output_path": None, "error_path": None}
        if options["wait"]:
            batch = self._follow(batch)
            target = options["output_dir"] or settings.DATA_DIR / "exports" / str(batch.pk)
            paths = _save(batch, target.resolve())
        self._print(batch, paths, as_json=options["json"])
        if options["wait"] and not batch.is_accounted_for:
            raise CommandError(_what_is_wrong(batch))

    def _follow(self, batch: Batch) -> Batch:
        """Wait until ``batch`` is over or needs a person."""
        started, said = time.monotonic(), ""
        while True:
            try:
                batch = Batch.objects.get(pk=batch.pk)
                provider_batches = list(batch.provider_batches.all())
            except OperationalError as exc:  # the workers wait for it, and so do we
                self._note(f"the database does not answer: {exc}")
                connection.close()
                time.sleep(10 * LOOK_EVERY)
                continue
            if batch.is_over or any(
                p.status == ProviderBatch.Status.NEEDS_ATTENTION for p in provider_batches
            ):
                return batch
            now = ", ".join(
                f"{provider_batch.get_status_display().lower()}: "
                f"{provider_batch.completed + provider_batch.failed:,} of {provider_batch.total:,}"
                + (f" ({provider_batch.trouble})" if provider_batch.trouble else "")
                for provider_batch in provider_batches
            )
            if now != said:
                self._note(now)
                said = now
            untouched = all(
                p.status == ProviderBatch.Status.PREPARING and not p.claims
                for p in provider_batches
            )
            if untouched and started and time.monotonic() - started > NO_WORKER_AFTER:
                self._note("no worker has taken it yet; is one running (`make serve`)?")
                started = 0.0
            time.sleep(LOOK_EVERY)

    def _print(self, batch: Batch, paths: dict[str, str | None], *, as_json: bool) -> None:
        facts = {
            "batch": str(batch.pk),
            "status": _status(batch),
            "requests": batch.requests,
            "succeeded": batch.succeeded,
            "failed": batch.failed,
            "input_tokens": batch.input_tokens,
            "output_tokens": batch.output_tokens,
            "estimated_cost_usd": _plain(batch.estimated_cost_usd),
            "actual_cost_usd": _plain(batch.actual_cost_usd),
            **paths,
        }
        if as_json:
            self.stdout.write(json.dumps(facts))
            return
        for name, value in facts.items():
            self.stdout.write(f"{name.replace('_', ' ')}: {'-' if value is None else value}")

    def _note(self, text: str) -> None:
        self.stderr.write(text)


def _upload(project: Project, user: User, path: Path) -> Upload:
    """Take the file in and check it here: a script learns of a fault without any worker."""
    limit = project.connection.max_upload_bytes
    try:
        size = path.stat().st_size
        if not size:
            raise CommandError(f"{path} is empty.")
        if size > limit:
            raise CommandError(
                f"{path} has {size:,} bytes, and at most {limit:,} are taken for "
                f"{project.connection}. Split it."
            )
        with path.open("rb") as content:
            upload = upload_intake.receive_file(project, user, File(content), name=path.name)
    except OSError as exc:
        raise CommandError(f"{path} cannot be read: {exc.strerror}.") from exc
    tasks.check(str(upload.pk))
    upload.refresh_from_db()
    if upload.status == Upload.Status.READY:
        return upload
    report = upload.report
    if upload.status != Upload.Status.FAULTY or report is None:
        raise CommandError(upload.error or "The file could not be checked; try again.")
    errors = [finding for finding in report.findings if finding.severity == "error"]
    number = report.severities.get("error", 0)
    listed = "\n".join(f"  line {finding.line}: {finding.message}" for finding in errors[:20])
    more = f"\n  and {number - 20:,} more" if number > len(errors[:20]) else ""
    raise CommandError(
        f"{path} has {number:,} {'error' if number == 1 else 'errors'}; nothing was submitted.\n"
        f"{listed}{more}"
    )


def _order(project: Project, user: User, upload: Upload, options: dict[str, Any]) -> Batch:
    keys = ProviderKey.objects.usable_by(user, project)
    key = keys.filter(project=project).last() or keys.last()
    if key is None:
        raise CommandError(
            f"Neither {user.email} nor the project {project.slug} has a provider key for "
            f"{project.connection}. Add one with `manage.py bootstrap --provider-key`."
        )
    try:
        batch = place_order.place_order(
            project,
            user,
            upload,
            key,
            window=options["window"],
            fallback=options["fallback"],
            name=options["name"],
            submission=uuid.uuid4(),
        )
    except place_order.Refused as exc:
        raise CommandError(str(exc)) from exc
    for provider_batch in batch.provider_batches.all():
        tasks.wake(provider_batch)
    return batch


def _save(batch: Batch, target: Path) -> dict[str, str | None]:
    """Write what came back below ``target``; a file appears whole or not at all."""
    target.mkdir(parents=True, exist_ok=True)
    paths: dict[str, str | None] = {}
    for kind, field in (
        (ResultChunk.Kind.OUTPUT, "output_path"),
        (ResultChunk.Kind.ERROR, "error_path"),
    ):
        path = target / f"{kind}.jsonl"
        paths[field] = str(path)
        if kind == ResultChunk.Kind.ERROR and not browse.count_stored(batch)[0].get(kind):
            paths[field] = None
            continue
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            file.writelines(browse.download(batch, kind))
        partial.replace(path)
    return paths


def _status(batch: Batch) -> str:
    stuck = batch.provider_batches.filter(status=ProviderBatch.Status.NEEDS_ATTENTION).exists()
    return str(ProviderBatch.Status.NEEDS_ATTENTION if stuck else batch.status)


def _what_is_wrong(batch: Batch) -> str:
    where = settings.PUBLIC_URL + reverse("batch_detail", args=[batch.pk])
    if not batch.is_over:
        troubles = batch.provider_batches.values_list("trouble", flat=True)
        return f"The batch needs attention: {' '.join(filter(None, troubles))} See {where}"
    lost = batch.requests - batch.succeeded - batch.failed
    return (
        f"{lost:,} of {batch.requests:,} requests have no answer: {batch.cancelled:,} cancelled, "
        f"{batch.missing:,} missing. See {where}"
    )


def _plain(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"

"""``manage.py run``: send one file through the portal from a script."""

import json
import time
import uuid
from argparse import ArgumentParser
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files import File
from django.core.management.base import CommandError
from django.db import OperationalError, connection
from django.urls import reverse
from django.utils import timezone

from batchapp import tasks
from batchapp.access import NotAllowed
from batchapp.domain.refused import Refused
from batchapp.domain.reuse.reuse_plan import ReuseChoice
from batchapp.management.command import BaseCommand
from batchapp.management.options import (
    add_label_options,
    batch_of,
    key_of,
    labels_of,
    member_of,
    project_of,
)
from batchapp.models import (
    ApprovalRequest,
    Batch,
    Project,
    ProviderBatch,
    ResultChunk,
    Upload,
    User,
)
from batchapp.pipeline.states import state_of
from batchapp.presenters.accounting_text import discrepancy_of
from batchapp.presenters.approval_text import approval_facts, decision_text, waiting_text
from batchapp.presenters.batches.waiting_reasons import needs_attention
from batchapp.presenters.division_text import division_sentence, model_shares
from batchapp.presenters.outcome_text import outcome_counts
from batchapp.presenters.problem_text import problem_facts, problem_text
from batchapp.presenters.refusal_text import refusal_text
from batchapp.services.audit.downloads import record_download
from batchapp.services.files import upload_intake
from batchapp.services.orders import place_order, price_quotes
from batchapp.services.orders.order_labels import inherited_labels
from batchapp.services.results import browse, merge
from batchapp.services.results.outcome_counts import count_outcomes
from batchapp.services.reuse import reduced_file
from batchapp.templatetags.words import count

REUSE_OPTIONS = ("only_new", "send_once", "also_sampled")
CHECK_EVERY = 0.5  # seconds between two reads of the batch
WARN_WITHOUT_WORKER_AFTER = 20  # seconds in which no worker has claimed the batch


class Command(BaseCommand):
    help = (
        "Check FILE, submit it, and with --wait follow it to its results. The exit status is 0 "
        "only when every request is accounted for (without --wait: when it was submitted)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path, nargs="?")
        parser.add_argument(
            "--batch",
            metavar="ID",
            help="a batch that was submitted before, in place of FILE: with --wait follow it",
        )
        parser.add_argument("--project", metavar="SLUG", required=True)
        parser.add_argument("--window", default="24h", help="completion window, 24h by default")
        parser.add_argument(
            "--fallback",
            metavar="WINDOW",
            default="",
            help="a longer window, used if the provider has no slot; by default none",
        )
        parser.add_argument("--name", default="", help="of the batch; by default the file's")
        add_label_options(parser)
        parser.add_argument("--user", metavar="EMAIL", help="by default the project's first owner")
        parser.add_argument(
            "--only-new",
            action="store_true",
            help="keep the answers that finished batches of the project have to the same requests",
        )
        parser.add_argument(
            "--send-once",
            action="store_true",
            help="send equal requests once; each repeat gets the answer to the first",
        )
        parser.add_argument(
            "--also-sampled",
            action="store_true",
            help="let both cover requests with a temperature above 0 or several answers as well",
        )
        parser.add_argument(
            "--send-first",
            action="store_true",
            help="send the first requests of a file with markers alone, if that saves money",
        )
        parser.add_argument("--wait", action="store_true", help="until it is over")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument(
            "--output-dir", type=Path, metavar="DIR", help="by default below DATA_DIR/exports"
        )

    def handle(self, **options: Any) -> None:
        project = project_of(options["project"])
        user = member_of(project, options["user"])
        batch = _submitted_batch(project, options) or self._submit(project, user, options)
        if not options["wait"] and (text := waiting_text(batch)):
            self._note(text)
        paths: dict[str, str | None] = {
            "output_path": None,
            "error_path": None,
            "merged_path": None,
        }
        if options["wait"]:
            batch = self._follow(batch)
            target = options["output_dir"] or settings.DATA_DIR / "exports" / str(batch.pk)
            try:
                paths = _save(batch, user, target.resolve())
            except NotAllowed as exc:
                raise CommandError(f"{user.email} has left the project {project.slug}.") from exc
        self._print(batch, paths, as_json=options["json"])
        if options["wait"] and not batch.is_accounted_for:
            raise CommandError(_problem_text(batch))

    def _submit(self, project: Project, user: User, options: dict[str, Any]) -> Batch:
        upload = _upload(project, user, options["file"])
        self._note(f"{upload.name}: {count(upload.requests or 0, 'request')}, no errors")
        upload = self._reduced(upload, user, options)
        self._note_division(upload, options["window"])
        batch = _place_order(project, user, upload, options)
        self._note(f"submitted as {batch.pk}")
        return batch

    def _note_division(self, upload: Upload, window: str) -> None:
        """Say, before anything is paid, how the file is divided by model, if it is."""
        if (report := upload.report) is None:
            return
        connection, now = upload.project.connection, timezone.now()
        quotes = price_quotes.quote(report, connection, [window], now)
        shares = model_shares(report, connection, quotes[window])
        if shares:
            self._note(division_sentence(connection, shares))
            for share in shares:
                self._note(f"  {share.model}: {share.text}")

    def _reduced(self, upload: Upload, user: User, options: dict[str, Any]) -> Upload:
        """Return the file without the requests that the options leave out; all if none are."""
        only_new, once, sampled = (options[name] for name in REUSE_OPTIONS)
        choice = ReuseChoice(only_new, only_new and sampled, once, once and sampled)
        if choice.is_empty or not upload.reuse_offer:
            return upload
        reduced = reduced_file.request_reduced_file(upload, user, choice, submission=uuid.uuid4())
        tasks.run_or_wait(reduced)
        if reduced.status != Upload.Status.READY or reduced.reuse is None:
            raise CommandError(problem_text(reduced.problem) or "The file could not be written.")
        requests = count(reduced.requests or 0, "request")
        self._note(f"{reduced.name}: {requests} to send, {reduced.reuse.summary or 'all of them'}")
        return reduced

    def _follow(self, batch: Batch) -> Batch:
        """Wait until ``batch`` is over or needs a person."""
        started, shown_progress = time.monotonic(), ""
        while True:
            try:
                batch = Batch.objects.get(pk=batch.pk)
                provider_batches = list(batch.provider_batches.all())
            except OperationalError as exc:  # the workers wait for the database as well
                self._note(f"the database does not answer: {exc}")
                connection.close()
                time.sleep(10 * CHECK_EVERY)
                continue
            if batch.is_over or any(map(needs_attention, provider_batches)):
                return batch
            progress = ", ".join(_progress_text(row) for row in provider_batches)
            progress = progress or waiting_text(batch)
            if progress != shown_progress:
                self._note(progress)
                shown_progress = progress
            is_unclaimed = bool(provider_batches) and all(
                row.status == ProviderBatch.Status.PREPARING and not row.claims
                for row in provider_batches
            )
            if is_unclaimed and started and time.monotonic() - started > WARN_WITHOUT_WORKER_AFTER:
                self._note("no worker has claimed the batch yet; is one running (`make serve`)?")
                started = 0.0
            time.sleep(CHECK_EVERY)

    def _print(self, batch: Batch, paths: dict[str, str | None], *, as_json: bool) -> None:
        provider_batches = list(batch.provider_batches.all())
        model_costs = list(batch.model_costs.all())
        waits = any(map(needs_attention, provider_batches))
        problems = {problem_text(row.problem): row.problem for row in provider_batches}
        outcomes = count_outcomes(batch, with_retries=False) if batch.is_over else {}
        facts = {
            "batch": str(batch.pk),
            "status": ProviderBatch.Parked.NEEDS_ATTENTION if waits else batch.status,
            "state": state_of(batch, provider_batches).code,
            "approval": approval_facts(batch),
            "requests": batch.requests,
            "reused": batch.reused,
            "succeeded": batch.succeeded,
            "usable": batch.usable,
            "failed": batch.failed,
            "input_tokens": batch.input_tokens,
            "cached_tokens": sum(row.cached_tokens for row in model_costs),
            "written_tokens": sum(row.written_tokens for row in model_costs),
            "outcomes": outcomes,
            "output_tokens": batch.output_tokens,
            "estimated_cost_usd": _plain(batch.estimated_cost_usd),
            "actual_cost_usd": _plain(batch.actual_cost_usd),
            "problems": [problem_facts(problem) for problem in problems.values() if problem],
            "discrepancy": batch.discrepancy,
            **paths,
        }
        if as_json:
            self.stdout.write(json.dumps(facts))
            return
        del facts["approval"]  # the notes say it
        facts["problems"] = " ".join(filter(None, problems)) or None
        facts["outcomes"] = ", ".join(outcome_counts(outcomes)) or None
        facts["discrepancy"] = discrepancy_of(batch) or None
        for name, value in facts.items():
            self.stdout.write(f"{name.replace('_', ' ')}: {'-' if value is None else value}")

    def _note(self, text: str) -> None:
        self.stderr.write(text)


def _progress_text(row: ProviderBatch) -> str:
    trouble = f" ({problem_text(row.problem)})" if row.problem else ""
    ended = row.completed + row.failed
    return f"{row.status_label.lower()}: {ended:,} of {row.total:,}{trouble}"


def _submitted_batch(project: Project, options: dict[str, Any]) -> Batch | None:
    """Return the batch that the options name in place of a file; None if they name a file."""
    if bool(options["batch"]) == bool(options["file"]):
        raise CommandError("Give either FILE or --batch.")
    if not options["batch"]:
        return None
    batch = batch_of(options["batch"])
    if batch.project_id != project.pk:
        raise CommandError(f"There is no batch {options['batch']!r} in {project.slug}.")
    return batch


def _upload(project: Project, user: User, path: Path) -> Upload:
    """Store the file and check it here, so that a script learns of errors without a worker."""
    limit = project.connection.max_upload_bytes
    try:
        size = path.stat().st_size
        if not size:
            raise CommandError(f"{path} is empty.")
        if size > limit:
            raise CommandError(
                f"{path} has {size:,} bytes, and {project.connection} accepts at most "
                f"{limit:,}. Split the file."
            )
        with path.open("rb") as content:
            upload = upload_intake.receive_file(project, user, File(content), name=path.name)
    except OSError as exc:
        raise CommandError(f"{path} cannot be read: {exc.strerror}.") from exc
    tasks.run_or_wait(upload)
    if upload.status == Upload.Status.READY:
        return upload
    report = upload.report
    if upload.status != Upload.Status.FAULTY or report is None:
        raise CommandError(
            problem_text(upload.problem) or "The file could not be checked; try again."
        )
    errors = [finding for finding in report.findings if finding.severity == "error"]
    number = report.severities.get("error", 0)
    listed = "\n".join(f"  line {finding.line}: {finding.message}" for finding in errors[:20])
    more = f"\n  and {number - 20:,} more" if number > len(errors[:20]) else ""
    raise CommandError(
        f"{path} has {number:,} {'error' if number == 1 else 'errors'}; nothing was submitted.\n"
        f"{listed}{more}"
    )


def _place_order(project: Project, user: User, upload: Upload, options: dict[str, Any]) -> Batch:
    key = key_of(project, user)
    try:
        batch = place_order.place_order(
            project,
            user,
            upload,
            key,
            window=options["window"],
            fallback=options["fallback"],
            sends_first=options["send_first"],
            name=options["name"],
            labels=labels_of(options, inherited_labels(upload)),
            submission=uuid.uuid4(),
        )
    except Refused as exc:
        raise CommandError(refusal_text(exc)) from exc
    for provider_batch in batch.provider_batches.all():
        tasks.wake(provider_batch)
    return batch


def _save(batch: Batch, user: User, target: Path) -> dict[str, str | None]:
    """Write the results below ``target``; a file appears whole or not at all."""
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
        record_download(None, kind, batch=batch)
        _write(path, browse.download(batch, user, kind))
    paths["merged_path"] = None
    if batch.reused:
        path = target / "merged.jsonl"
        record_download(None, "merged", batch=batch)
        _write(path, merge.download(batch, user))
        paths["merged_path"] = str(path)
    return paths


def _write(path: Path, pieces: Iterator[bytes]) -> None:
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        file.writelines(pieces)
    partial.replace(path)


def _problem_text(batch: Batch) -> str:
    url = settings.PUBLIC_URL + reverse("batch_detail", args=[batch.pk])
    if not batch.is_over:
        troubles = [problem_text(row.problem) for row in batch.provider_batches.all()]
        return f"The batch needs attention: {' '.join(filter(None, troubles))} See {url}"
    approvals = ApprovalRequest.objects.exclude(state=ApprovalRequest.State.APPROVED)
    request = approvals.filter(batch=batch).first()
    decision = decision_text(request) if request else ""
    unanswered = batch.requests - batch.succeeded - batch.failed
    return (
        f"{decision} {unanswered:,} of {batch.requests:,} requests have no answer: "
        f"{batch.cancelled:,} cancelled, {batch.missing:,} missing. See {url}"
    ).lstrip()


def _plain(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"

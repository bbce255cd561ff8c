"""``manage.py retry``: write a retry file of a batch, and submit it."""

import uuid
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from batchapp import tasks
from batchapp.access import NotAllowed
from batchapp.domain.refused import Refused
from batchapp.domain.results.retry_selection import (
    ADVICE,
    DEFAULT_ENDINGS,
    MAX_TEMPERATURE,
    Ending,
    Selection,
)
from batchapp.management.options import member_of
from batchapp.models import Batch, Upload
from batchapp.presenters.problem_text import problem_text
from batchapp.presenters.refusal_text import refusal_text
from batchapp.services.orders import place_order
from batchapp.services.results import retry_file
from batchapp.services.results.retry_file import RetryableCounts


class Command(BaseCommand):
    help = (
        "Write a file of the requests of BATCH that ended without a good answer, and with "
        "--submit a batch of it. Without --outcomes it has the requests worth another try."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("batch", metavar="BATCH", help="its id")
        parser.add_argument(
            "--outcomes", nargs="+", choices=[ending.value for ending in ADVICE], metavar="OUTCOME"
        )
        parser.add_argument("--error-code", default="", help="only requests that failed with it")
        parser.add_argument(
            "--max-tokens-factor", type=int, default=1, metavar="K", help="where cut short"
        )
        parser.add_argument("--model", default="", help="instead of the requests' own")
        parser.add_argument("--temperature", type=float, help="instead of the requests' own")
        parser.add_argument("--user", metavar="EMAIL", help="by default the project's first admin")
        parser.add_argument("--submit", action="store_true", help="with the batch's provider key")
        parser.add_argument(
            "--window", default="", help="completion window, by default the window of the batch"
        )

    def handle(self, **options: Any) -> None:
        batch = _batch(options["batch"])
        user = member_of(batch.project, options["user"])
        counts = retry_file.retryable_counts(batch)
        selection = _selection(options, counts)
        for ending in counts.endings:
            mark = "+" if ending in selection.endings else "-"
            self.stderr.write(f"{mark} {counts.count(ending):,} {ending}: {ADVICE[ending].reason}")
        if not counts.total(selection):
            raise CommandError("No request matches this choice; no file was written.")
        upload = retry_file.request_retry_file(batch, user, selection, submission=uuid.uuid4())
        tasks.run_or_wait(upload)
        if upload.status != Upload.Status.READY:
            raise CommandError(
                problem_text(upload.problem) or f"{upload.name} has errors; see its page."
            )
        self.stdout.write(f"file: {upload.pk}, {upload.requests:,} requests")
        if options["submit"]:
            try:
                retry = place_order.place_order(
                    batch.project,
                    user,
                    upload,
                    batch.key,
                    window=options["window"] or batch.window,
                    submission=uuid.uuid4(),
                )
            except NotAllowed as exc:
                raise CommandError(
                    f"{user.email} may not submit on {batch.key}. Order the file on its page, on "
                    "another key."
                ) from exc
            except Refused as exc:
                raise CommandError(refusal_text(exc)) from exc
            for provider_batch in retry.provider_batches.all():
                tasks.wake(provider_batch)
            self.stdout.write(f"batch: {retry.pk}")


def _batch(text: str) -> Batch:
    rows = Batch.objects.select_related("project__connection", "upload", "key")
    try:
        return rows.get(pk=text)
    except (Batch.DoesNotExist, ValidationError) as exc:
        raise CommandError(f"There is no batch {text!r}.") from exc


def _selection(options: dict[str, Any], counts: RetryableCounts) -> Selection:
    """Return the choice of the options; by default without cut answers that would not change."""
    factor, temperature = options["max_tokens_factor"], options["temperature"]
    if factor < 1:
        raise CommandError("--max-tokens-factor is 1 or more.")
    if temperature is not None and not 0 <= temperature <= MAX_TEMPERATURE:
        raise CommandError("--temperature is a number from 0 to 2.")
    endings = frozenset(DEFAULT_ENDINGS)
    if factor == 1 and not options["model"]:
        endings -= {Ending.TRUNCATED}
    if outcomes := options["outcomes"]:
        endings = frozenset(map(Ending, outcomes))
    else:
        endings &= frozenset(counts.endings)
    return Selection(
        endings,
        error_code=options["error_code"],
        max_tokens_factor=factor,
        model=options["model"],
        temperature=temperature,
    )

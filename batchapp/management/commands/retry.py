"""``manage.py retry``: write a retry file of a batch, and submit it."""

import uuid
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from batchapp import tasks
from batchapp.access import NotAllowed
from batchapp.domain.refused import Refused
from batchapp.domain.results.outcome import Outcome
from batchapp.domain.results.retry_selection import (
    ADVICE,
    DEFAULT_OUTCOMES,
    MAX_TEMPERATURE,
    Selection,
)
from batchapp.management.command import BaseCommand
from batchapp.management.options import add_label_options, batch_of, labels_of, member_of
from batchapp.models import Upload
from batchapp.presenters.approval_text import waiting_text
from batchapp.presenters.problem_text import problem_text
from batchapp.presenters.refusal_text import refusal_text
from batchapp.services.orders import place_order
from batchapp.services.results import outcome_counts, retry_file
from batchapp.services.results.retry_file import RetryableCounts


class Command(BaseCommand):
    help = (
        "Write a file of the requests of BATCH that ended without a good answer, and with "
        "--submit a batch of it. Without --outcomes it has the requests worth another try."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("batch", metavar="BATCH", help="its id")
        parser.add_argument(
            "--outcomes",
            nargs="+",
            choices=[outcome.value for outcome in ADVICE],
            metavar="OUTCOME",
        )
        parser.add_argument("--error-code", default="", help="only requests that failed with it")
        parser.add_argument(
            "--max-tokens-factor", type=int, default=1, metavar="K", help="where cut short"
        )
        parser.add_argument("--model", default="", help="instead of the requests' own")
        parser.add_argument("--temperature", type=float, help="instead of the requests' own")
        add_label_options(parser)
        parser.add_argument("--user", metavar="EMAIL", help="by default the project's first owner")
        parser.add_argument("--submit", action="store_true", help="with the batch's provider key")
        parser.add_argument(
            "--window", default="", help="completion window, by default the window of the batch"
        )

    def handle(self, **options: Any) -> None:
        batch = batch_of(options["batch"])
        user = member_of(batch.project, options["user"])
        counts = outcome_counts.retryable_counts(batch)
        selection = _selection(options, counts)
        for outcome in counts.outcomes:
            mark = "+" if outcome in selection.outcomes else "-"
            self.stderr.write(
                f"{mark} {counts.count(outcome):,} {outcome}: {ADVICE[outcome].reason}"
            )
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
                    labels=labels_of(options, batch.labels),
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
            if text := waiting_text(retry):
                self.stderr.write(text)


def _selection(options: dict[str, Any], counts: RetryableCounts) -> Selection:
    """Return the choice of the options; by default without cut answers that would not change."""
    factor, temperature = options["max_tokens_factor"], options["temperature"]
    if factor < 1:
        raise CommandError("--max-tokens-factor is 1 or more.")
    if temperature is not None and not 0 <= temperature <= MAX_TEMPERATURE:
        raise CommandError("--temperature is a number from 0 to 2.")
    outcomes = frozenset(DEFAULT_OUTCOMES)
    if factor == 1 and not options["model"]:
        outcomes -= {Outcome.TRUNCATED}
    if options["outcomes"]:
        outcomes = frozenset(map(Outcome, options["outcomes"]))
    else:
        outcomes &= frozenset(counts.outcomes)
    return Selection(
        outcomes,
        error_code=options["error_code"],
        max_tokens_factor=factor,
        model=options["model"],
        temperature=temperature,
    )

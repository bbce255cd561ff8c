"""``manage.py purge``: delete now what the projects have kept long enough, or one batch."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from batchapp import tasks
from batchapp.management.command import BaseCommand
from batchapp.management.options import batch_of, project_of
from batchapp.models import Batch, RetentionRule
from batchapp.models.batches.purge import DOWNLOAD_GRACE
from batchapp.presenters.keeping_text import kept_text, outdated_text, reused_text
from batchapp.services.archive import purge, retention
from batchapp.services.archive.retention import Outdated


class Command(BaseCommand):
    help = (
        "Delete the requests and answers that projects have kept as long as their rules say, "
        "rather than within the hour; or those of one batch and its retries. Workers delete the "
        f"bytes {DOWNLOAD_GRACE.seconds // 60} minutes later, so that downloads can end."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        choice = parser.add_mutually_exclusive_group()
        choice.add_argument("--project", metavar="SLUG", help="only what this project has kept")
        choice.add_argument(
            "--batch", metavar="BATCH", help="the id of a batch; without --yes only say what goes"
        )
        parser.add_argument("--dry-run", action="store_true", help="only say what would go")
        parser.add_argument("--yes", action="store_true", help="delete the batch for good")

    def handle(self, **options: Any) -> None:
        if options["batch"]:
            is_agreed = options["yes"] and not options["dry_run"]
            self._purge_batch(batch_of(options["batch"]), is_agreed=is_agreed)
            return
        rules = RetentionRule.objects.select_related("project").order_by("project__slug")
        if options["project"]:
            rules = rules.filter(project=project_of(options["project"]))
        for rule in rules:
            outdated = retention.find_outdated(rule.project, rule.days)
            text = outdated_text(outdated, retention.size_of(outdated))
            self.stdout.write(f"{rule.project.slug}, kept {kept_text(rule.days)}: {text}")
            if not options["dry_run"] and not outdated.is_empty:
                _run(rule)
        if not rules:
            self.stdout.write("Everything is kept forever: no project has another rule.")

    def _purge_batch(self, batch: Batch, *, is_agreed: bool) -> None:
        family = purge.purgeable_family(batch)
        if not family:
            raise CommandError(
                f"Nothing of {batch.name} can be deleted now: it or a retry of it runs, is on "
                "hold, or was deleted already."
            )
        outdated = Outdated([family])
        self.stdout.write(f"{batch.name}: {outdated_text(outdated, retention.size_of(outdated))}")
        reused = retention.reused_elsewhere(family)
        if warning := reused_text(reused):
            self.stdout.write(warning)
        if not is_agreed:
            self.stdout.write("Nothing was deleted. Add --yes to delete it for good.")
        elif not purge.start_purge(family, reused=reused.answers):
            raise CommandError("Nothing was deleted: the batch changed just now. Try again.")


def _run(rule: RetentionRule) -> None:
    """Do what the worker does that has the rule, until nothing more is old enough."""
    rule.next_check_at = timezone.now()
    RetentionRule.objects.filter(pk=rule.pk).update(next_check_at=rule.next_check_at)
    while rule.next_check_at and rule.next_check_at <= timezone.now():
        tasks.run(rule)
        if rule.leased_until:  # a worker was faster
            time.sleep(tasks.WAIT_SECONDS)

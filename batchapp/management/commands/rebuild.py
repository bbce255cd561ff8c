"""``manage.py rebuild``: write the results of a batch anew from its stored files."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from batchapp.domain.refused import Refused
from batchapp.management.command import BaseCommand
from batchapp.management.options import batch_of
from batchapp.models import StaleRow
from batchapp.pipeline.rebuild_batch import rebuild_batch
from batchapp.presenters.rebuild_text import rebuilt_sentences
from batchapp.presenters.refusal_text import refusal_text
from batchapp.presenters.verify_text import difference_text
from batchapp.services.archive import verify


class Command(BaseCommand):
    help = (
        "Write the results of BATCH anew from its request file and its stored result lines, as "
        "they were when they arrived, and find the answers again that it keeps from other "
        "batches, or they from it. Counts, cost and the files are not changed. While it works, "
        "pages show requests of the batch as waiting. It can be interrupted, and run again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("batch", metavar="BATCH", help="its id")

    def handle(self, **options: Any) -> None:
        batch = batch_of(options["batch"])
        try:
            batch.require_content()
            if differences := list(verify.verify_files_of(batch)):
                for difference in differences:
                    self.stderr.write(difference_text(difference))
                raise CommandError("Restore these files from a backup first; nothing was changed.")
            rebuilt = rebuild_batch(batch)
        except Refused as exc:
            raise CommandError(refusal_text(exc)) from exc
        except StaleRow as exc:
            raise CommandError(
                "The batch began to run again, so this was broken off. Rebuild it once it is over."
            ) from exc
        except OSError as exc:
            raise CommandError(
                f"A file of the batch cannot be read: {exc}. Restore it from a backup, then "
                "rebuild the batch again."
            ) from exc
        for sentence in rebuilt_sentences(batch, rebuilt):
            self.stdout.write(sentence)
        for difference in verify.verify_results_of(batch):
            self.stdout.write(difference_text(difference))

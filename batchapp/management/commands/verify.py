"""``manage.py verify``: prove files, results, statements and the audit, and name what differs."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from itertools import chain
from typing import Any

from django.core.management.base import CommandError

from batchapp.management.command import BaseCommand
from batchapp.management.options import project_of
from batchapp.management.progress_bar import Bar
from batchapp.models import AuditSeal, Batch, Project
from batchapp.presenters.verify_text import (
    AnyCode,
    AnyDifference,
    advice_for,
    difference_text,
    seals_text,
    statements_text,
)
from batchapp.services.archive.stored_files import total_bytes
from batchapp.services.archive.verify import (
    Progress,
    verify_files,
    verify_orphans,
    verify_results,
)
from batchapp.services.audit.verify_seals import SealDifference, SealProgress, verify_seals
from batchapp.services.statements.verify_statements import (
    StatementDifference,
    StatementProgress,
    closed_statements,
    verify_statements,
)
from batchapp.storage.blob_storage import StorageUnavailable
from batchapp.templatetags.words import count, size

DIFFERS = 1  # exit status
MAX_IN_JSON = 10_000  # differences; more are counted only


class Command(BaseCommand):
    help = (
        "Read every stored file, compare it with its checksum, compare every result with the "
        "bytes of its request and its answer, every closed statement with its lines, and every "
        "event of the audit with its seal. Nothing is changed. The exit status is 1 if anything "
        "differs."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--project",
            metavar="SLUG",
            help="only its files and batches: no search for files of no row, and no audit",
        )
        parser.add_argument(
            "--record",
            action="store_true",
            help="write down the checksums of files stored by an earlier version",
        )
        parser.add_argument(
            "--audit-digest",
            default="",
            metavar="DIGEST",
            help="a digest of the audit that was noted earlier, which must still be in its chain",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, **options: Any) -> None:
        project = project_of(options["project"]) if options["project"] else None
        progress, codes, number = Progress(), set[AnyCode](), 0
        self._seals, self._statements = SealProgress(), StatementProgress()
        listed: list[AnyDifference] = []
        differences: Iterator[AnyDifference] = chain(
            self._differences(project, progress, record=options["record"]),
            self._statement_differences(project),
        )
        if project is None:
            differences = chain(differences, self._seal_differences(options["audit_digest"]))
        for difference in _until_refused(differences):
            codes.add(difference.code)
            number += 1
            if options["json"]:
                listed += [difference] if number <= MAX_IN_JSON else []
            else:
                self.stdout.write(difference_text(difference))
        if options["json"]:
            self._print_json(progress, listed, number)
        else:
            self._print_summary(progress, codes, number)
        if number:
            sys.exit(DIFFERS)

    def _differences(
        self, project: Project | None, progress: Progress, *, record: bool
    ) -> Iterator[AnyDifference]:
        """Yield all differences, with a bar on the error output for each kind of work."""
        bar = Bar("Files", total_bytes(project), "bytes", sys.stderr)
        progress.on_change = lambda now: bar.update(now.bytes)
        yield from verify_files(project, progress, record=record)
        bar.finish()
        batches = Batch.objects.filter(project=project) if project else Batch.objects.all()
        results = Bar("Batches", batches.count(), "batches", sys.stderr)
        progress.on_change = lambda now: results.update(now.batches)
        yield from verify_results(project, progress)
        results.finish()
        if project is None:
            progress.on_change = lambda _: None
            yield from verify_orphans()

    def _statement_differences(self, project: Project | None) -> Iterator[StatementDifference]:
        """Yield all differences between statements and their lines, with a bar."""
        number = closed_statements(project).count()
        bar = Bar("Statements", number, "statements", sys.stderr)
        self._statements.on_change = lambda now: bar.update(now.statements)
        yield from verify_statements(project, self._statements)
        bar.finish()

    def _seal_differences(self, noted: str) -> Iterator[SealDifference]:
        """Yield all differences between the audit and its seals, with a bar."""
        bar = Bar("Audit", AuditSeal.objects.count(), "seals", sys.stderr)
        self._seals.on_change = lambda now: bar.update(now.seals)
        yield from verify_seals(self._seals, noted)
        bar.finish()

    def _print_json(self, progress: Progress, listed: list[AnyDifference], number: int) -> None:
        facts = {
            "files": progress.files,
            "bytes": progress.bytes,
            "batches": progress.batches,
            "results": progress.results,
            "without_checksum": progress.unrecorded,
            "checksums_recorded": progress.recorded,
            "statements": self._statements.statements,
            "statement_lines": self._statements.lines,
            "audit": {
                "events": self._seals.events,
                "seals": self._seals.seals,
                "events_deleted_by_rule": self._seals.deleted_events,
                "events_not_sealed_yet": self._seals.unsealed,
                "newest_digest": self._seals.newest_digest,
            },
            "differences": number,
            "listed": [
                {"code": difference.code.value, **difference.data} for difference in listed
            ],
        }
        self.stdout.write(json.dumps(facts))

    def _print_summary(self, progress: Progress, codes: set[AnyCode], number: int) -> None:
        verified = (
            f"Verified {count(progress.files, 'file')} ({size(progress.bytes)}) and "
            f"{count(progress.results, 'result')} of {count(progress.batches, 'batch,batches')}"
        )
        self.stdout.write(f"{verified}: {count(number, 'difference') if number else 'all right'}.")
        if progress.recorded:
            self.stdout.write(f"Wrote down {count(progress.recorded, 'checksum')}.")
        if progress.unrecorded:
            files = count(progress.unrecorded, "file")
            self.stdout.write(
                f"An earlier version stored {files} without a checksum, so only the sizes and "
                "lines are proven. Write the checksums down with --record."
            )
        for text in (statements_text(self._statements), seals_text(self._seals)):
            if text:
                self.stdout.write(text)
        for sentence in advice_for(codes):
            self.stdout.write(sentence)


def _until_refused(differences: Iterator[AnyDifference]) -> Iterator[AnyDifference]:
    try:
        yield from differences
    except StorageUnavailable as exc:
        reason = exc.strerror or str(exc)
        raise CommandError(
            f"{reason}, so that not everything could be verified. Verify again once it answers."
        ) from exc

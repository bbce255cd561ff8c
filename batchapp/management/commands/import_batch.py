"""``manage.py import_batch``: import batches of the provider into a project."""

import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from batchapp import tasks
from batchapp.forms.batches.batch_imports import read_id
from batchapp.management.command import BaseCommand
from batchapp.management.options import key_of, member_of, project_of
from batchapp.models import BatchImport
from batchapp.presenters.problem_text import problem_text
from batchapp.services.imports import start_import

CHECK_EVERY = 0.5  # seconds between two checks of an import that a worker or provider delays


class Command(BaseCommand):
    help = (
        "Import batches that were created elsewhere with the same provider key, and print the "
        "address of each. The portal then follows them to their end. Nothing is run or paid again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("ids", metavar="ID", nargs="+", help="of a batch at the provider")
        parser.add_argument("--project", metavar="SLUG", required=True)
        parser.add_argument(
            "--key",
            metavar="NAME",
            help="the provider key, by its name or its last four characters; by default the "
            "project's newest, else the person's",
        )
        parser.add_argument("--user", metavar="EMAIL", help="by default the project's first owner")

    def handle(self, **options: Any) -> None:
        project = project_of(options["project"])
        user = member_of(project, options["user"])
        key = key_of(project, user, options["key"])
        try:
            ids = [read_id(text) for text in options["ids"]]
        except ValidationError as exc:
            raise CommandError(" ".join(exc.messages)) from exc
        requested = start_import.request_imports(project, user, key, ids)
        troubles = [f"{pk} is in the portal already." for pk in requested.ids_in_portal]
        for batch_import in requested.batch_imports:
            self._follow(batch_import)
            if batch_import.batch:
                self.stdout.write(settings.PUBLIC_URL + batch_import.batch.get_absolute_url())
            else:
                trouble = problem_text(batch_import.problem)
                troubles.append(f"{batch_import.remote_id}: {trouble}")
        if troubles:
            raise CommandError("\n".join(troubles))

    def _follow(self, batch_import: BatchImport) -> None:
        """Run each step of the import here, unless a worker is faster, until it ends."""
        shown_problem = None
        while batch_import.next_check_at:
            if batch_import.upload and start_import.is_being_checked(batch_import):
                tasks.run(batch_import.upload)
            previous = batch_import.status
            tasks.run(batch_import)
            if batch_import.problem not in (None, shown_problem):
                shown_problem = batch_import.problem
                self.stderr.write(f"{batch_import.remote_id}: {problem_text(shown_problem)}")
            if batch_import.status == previous:
                time.sleep(CHECK_EVERY)

"""Bring batches that were made elsewhere into a project, from a script."""

import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from batchapp import tasks
from batchapp.forms.batches.batch_imports import read_id
from batchapp.management.people import member_of
from batchapp.models import BatchImport, Project, ProviderKey, User
from batchapp.services.imports import import_requests

LOOK_EVERY = 0.5
"""Seconds between two looks while a worker has the batch, or its provider does not answer."""


class Command(BaseCommand):
    help = (
        "Bring batches in that were made elsewhere with the same provider key, and print the "
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
        parser.add_argument("--user", metavar="EMAIL", help="by default the project's first admin")

    def handle(self, **options: Any) -> None:
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            raise CommandError(f"There is no project {options['project']!r}.")
        user = member_of(project, options["user"])
        key = _key(project, user, options["key"])
        try:
            ids = [read_id(each) for each in options["ids"]]
        except ValidationError as exc:
            raise CommandError(" ".join(exc.messages)) from exc
        begun = import_requests.request_imports(project, user, key, ids)
        troubles = [f"{each} is in the portal already." for each in begun.ids_in_portal]
        for batch_import in begun.batch_imports:
            self._follow(batch_import)
            if batch_import.batch:
                self.stdout.write(settings.PUBLIC_URL + batch_import.batch.get_absolute_url())
            else:
                troubles.append(f"{batch_import.remote_id}: {batch_import.trouble}")
        if troubles:
            raise CommandError("\n".join(troubles))

    def _follow(self, batch_import: BatchImport) -> None:
        """Take each step here, unless a worker is faster, until it is here or refused."""
        said = ""
        while batch_import.next_check_at:
            if (
                batch_import.status == BatchImport.Status.CHECKING
                and import_requests.is_being_checked(batch_import)
            ):
                tasks.check(str(batch_import.upload_id))
            before = batch_import.status
            tasks.import_batch(str(batch_import.pk))
            batch_import.refresh_from_db()
            if batch_import.trouble not in {"", said}:
                said = batch_import.trouble
                self.stderr.write(f"{batch_import.remote_id}: {said}")
            if batch_import.status == before:
                time.sleep(LOOK_EVERY)


def _key(project: Project, user: User, named: str | None) -> ProviderKey:
    usable = ProviderKey.objects.usable_by(user, project)
    keys = [each for each in usable if named in {None, each.name, each.last_four}]
    if named and len(keys) > 1:
        raise CommandError(f"There are {len(keys)} keys that {named!r} may mean.")
    own = [each for each in keys if each.project_id]
    if not keys:
        which = f"provider key {named!r}" if named else "provider key"
        raise CommandError(
            f"Neither {user.email} nor the project {project.slug} has a {which} for "
            f"{project.connection}. Add one with `manage.py bootstrap --provider-key`."
        )
    return (own or keys)[-1]

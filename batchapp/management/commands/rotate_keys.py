"""``manage.py rotate_keys``: encrypt stored secrets again with the newest encryption key."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from batchapp.management.command import BaseCommand
from batchapp.models import AuditEvent, AuditKind
from batchapp.services.secrets.rotate_secrets import Column, rotate_secrets
from batchapp.templatetags.words import count

MAX_LISTED = 20  # rows whose secret cannot be read


class Command(BaseCommand):
    help = (
        "Encrypt all stored secrets again with the first of ENCRYPTION_KEYS. The portal may run "
        "meanwhile, and a run that was broken off can be repeated."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--check",
            action="store_true",
            help="change nothing; say how many secrets an older key has encrypted, and exit 1 if "
            "there are any",
        )

    def handle(self, **options: Any) -> None:
        columns = []
        for column in rotate_secrets(is_dry_run=options["check"]):
            columns.append(column)
            self.stdout.write(_line(column, is_check=options["check"]))
        unreadable = sum(len(column.unreadable) for column in columns)
        old = sum(column.rotated for column in columns)
        if unreadable:
            raise CommandError(
                f"No key of ENCRYPTION_KEYS reads {count(unreadable, 'secret')}. Put the key back "
                "that encrypted them, or enter these secrets again."
            )
        if options["check"] and old:
            raise CommandError(
                f"An older key has encrypted {count(old, 'secret')}: run rotate_keys, and keep "
                "the older key until then."
            )
        if not options["check"] and any(column.replaced_meanwhile for column in columns):
            self.stdout.write("Secrets that were replaced meanwhile use the newest key as well.")
        if old and not options["check"]:
            AuditEvent.objects.record(AuditKind.SECRETS_ENCRYPTED_AGAIN, None, secrets=old)
        self.stdout.write("All secrets use the newest key: the older ones can be removed.")


def _line(column: Column, *, is_check: bool) -> str:
    parts = [f"{column.newest:,} with the newest key"]
    parts.append(f"{column.rotated:,} {'with an older key' if is_check else 'encrypted again'}")
    if column.replaced_meanwhile:
        parts.append(f"{column.replaced_meanwhile:,} replaced meanwhile")
    if column.unreadable:
        listed = ", ".join(str(pk) for pk in column.unreadable[:MAX_LISTED])
        more = len(column.unreadable) - MAX_LISTED
        parts.append(
            f"{len(column.unreadable):,} not readable ({listed}"
            f"{f' and {more:,} more' if more > 0 else ''})"
        )
    return f"{column.label}: {', '.join(parts)}"

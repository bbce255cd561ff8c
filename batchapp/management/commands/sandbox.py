"""``manage.py sandbox``: run the local sandbox provider."""

import sys
from typing import Any

from django.core.management.base import CommandParser

from batchapp.management.command import BaseCommand
from batchapp.sandbox.command_line import NAMES, add_options, run


class Command(BaseCommand):
    help = "Run a local sandbox of the provider's batch API."

    def add_arguments(self, parser: CommandParser) -> None:
        add_options(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        sys.exit(run(**{name: options[name] for name in NAMES}))

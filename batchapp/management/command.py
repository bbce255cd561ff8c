"""The base class of the portal's commands except `serve` and `demo`."""

from django.core.management import base


class BaseCommand(base.BaseCommand):
    """A command that starts without Django's checks of the whole portal.

    The checks import every page and template, which takes longer than most commands.
    `manage.py serve`, `manage.py demo` and `manage.py check` run them.
    """

    requires_system_checks: list[str] = []

"""Where the current work comes from, for the audit: a request, a command, or the portal itself.

The middleware and the tasks say it once, so that no service passes it on and none forgets it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from django.db import models


class AuditSource(models.TextChoices):
    UNKNOWN = "", "not recorded"  # events of an earlier version
    PAGE = "page", "page"
    KEY = "key", "portal key"
    COMMAND = "command", "command on the server"
    PORTAL = "portal", "the portal itself"


@dataclass(frozen=True, slots=True)
class Origin:
    """``address`` is a network address, "" if the work came by no network."""

    source: AuditSource
    address: str = ""


COMMAND = Origin(AuditSource.COMMAND)  # of a process that says nothing
_current: ContextVar[Origin] = ContextVar("origin")


def current_origin() -> Origin:
    return _current.get(COMMAND)


@contextmanager
def coming_from(source: AuditSource, address: str = "") -> Iterator[None]:
    """Let what is recorded inside come from ``source``."""
    token = _current.set(Origin(source, address[:45]))
    try:
        yield
    finally:
        _current.reset(token)

"""Typed readers of environment variables: a bad value stops the process and names its variable."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str) -> str:
    """Return ``$NAME``, else the stripped content of the file that ``$NAME_FILE`` names."""
    if value := os.environ.get(name):
        return value
    if path := os.environ.get(f"{name}_FILE"):
        try:
            return Path(path).read_text().strip()
        except OSError as exc:
            raise ImproperlyConfigured(
                f"{name}_FILE: {path} cannot be read: {exc.strerror}"
            ) from exc
    return default


def words(name: str, default: str = "") -> list[str]:
    """Return the comma-separated items of ``$NAME``."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def integer(name: str, default: int, *, minimum: int = 1) -> int:
    value = text(name, str(default))
    if not value.isdecimal() or int(value) < minimum:
        raise ImproperlyConfigured(
            f"{name}: {value!r} is not a whole number of at least {minimum}"
        )
    return int(value)


def flag(name: str, *, default: bool) -> bool:
    value = text(name, "yes" if default else "no").lower()
    if value not in {"1", "true", "yes", "on", "0", "false", "no", "off"}:
        raise ImproperlyConfigured(f"{name}: {value!r} is neither yes nor no")
    return value in {"1", "true", "yes", "on"}


def secret(name: str, path: Path, make: Callable[[], str]) -> str:
    """Return ``$NAME``; without it a value made once and kept in ``path``, readable by us only.

    Processes that start together agree: the file appears whole or not at all, and the first wins.
    """
    if value := text(name, ""):
        return value
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with NamedTemporaryFile("w", dir=path.parent) as fresh:
            fresh.write(make())
            fresh.flush()
            with suppress(FileExistsError):
                path.hardlink_to(fresh.name)
    return path.read_text().strip()

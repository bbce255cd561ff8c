"""Typed readers of environment variables; a bad value stops the process with its name."""

import os
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from tempfile import NamedTemporaryFile

from cryptography.fernet import Fernet
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


def networks(name: str) -> list[IPv4Network | IPv6Network]:
    """Return the networks of ``$NAME``, such as ``10.0.0.0/8``, separated by commas."""
    try:
        return [ip_network(word) for word in words(name)]
    except ValueError as exc:
        raise ImproperlyConfigured(f"{name}: {exc}") from exc


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


def url(name: str, default: str, schemes: Iterable[str]) -> str:
    """Return ``$NAME``, a URL of one of ``schemes``. Errors hide it: it may hold a password."""
    value = text(name, default)
    if "://" not in value or value.partition("://")[0] not in schemes:
        raise ImproperlyConfigured(f"{name}: it has to begin with {':// or '.join(schemes)}://")
    return value


def choice(name: str, default: str, choices: Collection[str]) -> str:
    value = text(name, default)
    if value not in choices:
        listed = f": {', '.join(choices)}" if len(choices) < 10 else ""
        raise ImproperlyConfigured(f"{name}: {value!r} is not one of the choices{listed}")
    return value


def secret(name: str, path: Path, make: Callable[[], str]) -> str:
    """Return ``$NAME``, else a value that ``make`` returned once and that ``path`` stores.

    Only our user can read the file. Processes that start together get the same value: the file
    appears whole or not at all, and the first process wins.
    """
    if value := text(name, ""):
        return value
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with NamedTemporaryFile("w", dir=path.parent) as file:
            file.write(make())
            file.flush()
            with suppress(FileExistsError):
                path.hardlink_to(file.name)
    return path.read_text().strip()


def fernet_keys(name: str, path: Path) -> list[str]:
    """Return the keys of ``$NAME``, read as by ``secret``; a generated value has one key."""
    keys = secret(name, path, lambda: Fernet.generate_key().decode()).split(",")
    try:
        return [key.strip() for key in keys if Fernet(key.strip())]
    except ValueError as exc:
        raise ImproperlyConfigured(f"{name}: one of the keys is not a Fernet key") from exc

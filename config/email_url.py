"""Read EMAIL_URL, which names the server that sends the portal's e-mails."""

from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

SCHEMES = ["log", "smtp", "smtps"]
FORM = "smtp://NAME:PASSWORD@host:587"
PORTS = {"smtp": 587, "smtps": 465}
TIMEOUT = 15  # seconds for each step of the talk with the server


def email_server(url: str) -> dict[str, Any]:
    """Return the arguments of Django's SMTP backend for ``url``, or {} if e-mails go to the log.

    ``smtp`` begins in plain text and asks for TLS, unless ``?starttls=no`` says that the server
    is near and has none. ``smtps`` speaks TLS from the start.

    Raises:
        ImproperlyConfigured: says what is wrong, and repeats no secret.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        # A slash in the password ends the host early.
        reason = "it is not a URL; a / or @ in the password is written %2F or %40"
        raise _wrong(reason) from exc
    if parts.scheme == "log":
        return {}
    if not parts.hostname:
        raise _wrong(f"the host is missing: it has to be {FORM}")
    if bool(parts.username) != bool(parts.password):
        raise _wrong(f"a name needs its password: it has to be {FORM}")
    return {
        "host": parts.hostname,
        "port": port or PORTS[parts.scheme],
        "username": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "use_ssl": parts.scheme == "smtps",
        "use_tls": parts.scheme == "smtp" and _asks_for_tls(parts),
        "timeout": TIMEOUT,
    }


def _asks_for_tls(parts: SplitResult) -> bool:
    query = dict(parse_qsl(parts.query))
    if set(query) - {"starttls"} or query.get("starttls", "yes") not in {"yes", "no"}:
        raise _wrong("what follows the ? is starttls=yes or starttls=no")
    return query.get("starttls", "yes") == "yes"


def _wrong(reason: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"EMAIL_URL: {reason}")

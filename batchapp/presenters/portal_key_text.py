"""What pages say of a portal key: its state, its scope, its models, and how to use it."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from batchapp.models import PortalKey, PortalKeySecret
from batchapp.templatetags.words import count

CHAT = "/v1/chat/completions"
SCOPES = {
    PortalKey.Scope.READ: "Reads",
    PortalKey.Scope.SUBMIT: "Submits",
    PortalKey.Scope.MANAGE: "Manages",
}


@dataclass(frozen=True, slots=True)
class KeyState:
    """The state of a key; ``sentence`` says what to do, if anything."""

    label: str
    tone: str
    icon: str
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key in a list; ``old`` are the secrets before the ``current`` that still work.

    ``can_rotate`` if the person who sees the list may rotate the key.
    """

    key: PortalKey
    state: KeyState
    does: str
    current: PortalKeySecret | None
    old: Sequence[PortalKeySecret]
    used_at: datetime | None
    used_from: str
    can_rotate: bool

    @property
    def id(self) -> str:
        return str(self.key.pk)


def key_row(key: PortalKey, *, can_rotate: bool = False) -> KeyRow:
    """Describe ``key`` by its loaded secrets."""
    secrets = [secret for secret in key.secrets.all() if not secret.has_ended]
    used = [secret for secret in key.secrets.all() if secret.last_used_at]
    latest = max(used, key=_last_use, default=None)
    return KeyRow(
        key=key,
        state=key_state(key),
        does=SCOPES[PortalKey.Scope(key.scope)],
        current=next((secret for secret in secrets if secret.ends_at is None), None),
        old=[secret for secret in secrets if secret.ends_at],
        used_at=latest.last_used_at if latest else None,
        used_from=latest.last_used_address if latest else "",
        can_rotate=can_rotate,
    )


@dataclass(frozen=True, slots=True)
class RevokedRow:
    """A key that was revoked; ``shown_part`` is the beginning of its last secret."""

    key: PortalKey
    does: str
    shown_part: str
    used_at: datetime | None
    by: str


def revoked_row(key: PortalKey) -> RevokedRow:
    """Describe a revoked ``key`` by its loaded secrets: what it was, and who revoked it when."""
    secrets = list(key.secrets.all())
    return RevokedRow(
        key=key,
        does=SCOPES[PortalKey.Scope(key.scope)],
        shown_part=next((row.shown_part for row in secrets if row.ends_at is None), ""),
        used_at=max((row.last_used_at for row in secrets if row.last_used_at), default=None),
        by=str(key.revoked_by) if key.revoked_by else "somebody whose account was deleted",
    )


def key_state(key: PortalKey) -> KeyState:
    if key.is_expired:
        return KeyState("Expired", "bad", "cross", "It expired. Make a new key for its script.")
    if not key.user.is_active:
        return KeyState(
            "Stopped", "bad", "cross", "The account of its person is deactivated. Revoke it."
        )
    if key.expires_soon and key.expires_at:
        return KeyState(
            _in_days(key.expires_at),
            "warn",
            "alert",
            "Make a new key for its script before that, and revoke this one afterwards.",
        )
    return KeyState("Works", "good", "check")


def quickstart(
    address: str, secret: str, *, model: str = "", window: str = ""
) -> list[tuple[str, str]]:
    """Return name and text of the examples that use ``secret`` at the portal's ``address``.

    With a ``model`` they run a batch in ``window``, as a key that submits may; else they read.
    """
    header = '-H "Authorization: Bearer $BATCHAPP_KEY"'
    models = f"export BATCHAPP_KEY='{secret}'\ncurl {address}/v1/models {header}"
    examples = [("The models that the key may use", models)]
    if not model:
        answers = f"curl -OJ {header} {address}/batches/ID-OF-THE-BATCH/output.jsonl"
        return [
            *examples,
            ("The answers of a batch, by the id in the address of its page", answers),
        ]
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
    line = {"custom_id": "1", "method": "POST", "url": CHAT, "body": body}
    order = {"input_file_id": "file-ID", "endpoint": CHAT, "completion_window": window}
    file = f"""\
echo {shlex.quote(json.dumps(line))} > requests.jsonl
curl {address}/v1/files {header} -F purpose=batch -F file=@requests.jsonl"""
    batch = f"""\
curl {address}/v1/batches {header} \\
  -H 'Content-Type: application/json' \\
  -d {shlex.quote(json.dumps(order))}"""
    return [
        *examples,
        ("Send a file with one request; the answer has its id", file),
        ("Order a batch of the file, with its id in the place of file-ID", batch),
    ]


def _last_use(secret: PortalKeySecret) -> float:
    return secret.last_used_at.timestamp() if secret.last_used_at else 0


def _in_days(moment: datetime) -> str:
    days = (timezone.localdate(moment) - timezone.localdate()).days
    return f"Expires in {count(days, 'day')}" if days > 0 else "Expires today"

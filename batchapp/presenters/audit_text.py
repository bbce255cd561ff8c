"""Events of the audit in words: what happened, who did it, from where, and what changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from batchapp.models import AuditEvent
from batchapp.models.audit.origin import AuditSource
from batchapp.presenters.audit_sentences import NONE, SENTENCES, field_name
from batchapp.presenters.sentences import Data, make_stored_sentence
from batchapp.services.audit.browse import AuditScope

HIDDEN_ADDRESS = "address not shown"


@dataclass(frozen=True, slots=True)
class Change:
    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class AuditRow:
    """An event in words; ``who`` and ``origin`` are never empty."""

    event: AuditEvent
    sentence: str
    who: str
    origin: str
    changes: list[Change]


def audit_row(event: AuditEvent, scope: AuditScope) -> AuditRow:
    """Return ``event`` in words, as far as the viewer of ``scope`` may see it."""
    return AuditRow(
        event, audit_text(event), who(event), origin_text(event, scope), changes_of(event.data)
    )


def audit_text(event: AuditEvent) -> str:
    return make_stored_sentence(SENTENCES, event.kind, event.data)


def who(event: AuditEvent) -> str:
    """Return the name of the person as it was then, or what acted without a person."""
    if event.actor_name:
        return event.actor_name
    return {
        AuditSource.COMMAND: "Command on the server",
        AuditSource.PORTAL: "The portal",
        AuditSource.PAGE: "Somebody not signed in",
    }.get(AuditSource(event.source), "Not recorded")


def origin_text(event: AuditEvent, scope: AuditScope) -> str:
    """Return from where the event came: a portal key, a network address, or the server."""
    parts = [f"portal key {event.key_name}"] if event.key_name else []
    if event.address:
        parts.append(hidden_or_address(event, scope))
    elif not parts:
        parts.append(
            {AuditSource.COMMAND: "command", AuditSource.PORTAL: "the portal itself"}.get(
                AuditSource(event.source), "not recorded"
            )
        )
    return ", ".join(parts)


def hidden_or_address(event: AuditEvent, scope: AuditScope) -> str:
    """Return the network address; "" if there is none."""
    return HIDDEN_ADDRESS if event.address and scope.hides_address_of(event) else event.address


def facts_of(event: AuditEvent) -> list[tuple[str, str]]:
    """Return name and value of each fact that is no change, for the page of the event."""
    return [
        (field_name(name), _value_text(value))
        for name, value in event.data.items()
        if name not in {"before", "after"}
    ]


def changes_of(data: Data) -> list[Change]:
    """Return each value that changed; those that an event has only on one side count as none."""
    before, after = data.get("before"), data.get("after")
    if isinstance(before, Mapping) or isinstance(after, Mapping):
        old, new = dict(before or {}), dict(after or {})
        return [
            Change(field_name(name), _value_text(old.get(name)), _value_text(new.get(name)))
            for name in {**old, **new}
            if old.get(name) != new.get(name)
        ]
    if before is None and after is None:
        return []
    return [Change("Value", _value_text(before), _value_text(after))]


def _value_text(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(
            f"{field_name(str(key))} {_value_text(part)}" for key, part in value.items()
        )
    if isinstance(value, list):
        return ", ".join(map(_value_text, value))
    return f"{value:,}" if isinstance(value, int) else str(value)

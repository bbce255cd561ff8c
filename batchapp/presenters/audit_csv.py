"""The rows of the audit as a CSV, in which times are in UTC."""

import json
from datetime import UTC

from batchapp.models import AuditEvent
from batchapp.presenters.audit_text import audit_text, hidden_or_address, who
from batchapp.services.audit.browse import AuditScope

COLUMNS = [
    *("id", "time_utc", "kind", "area", "person", "email", "portal_key", "source", "address"),
    *("project", "sentence", "before", "after", "facts", "seal"),
]


def csv_row(event: AuditEvent, scope: AuditScope) -> list[str]:
    """Return the cells of ``event``, as far as the viewer of ``scope`` may see it."""
    facts = {name: value for name, value in event.data.items() if name not in {"before", "after"}}
    return [
        str(event.pk),
        event.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
        event.kind,
        event.area,
        who(event),
        event.actor_email,
        event.key_name,
        event.source,
        hidden_or_address(event, scope),
        event.project_name,
        audit_text(event),
        _json(event.data.get("before")),
        _json(event.data.get("after")),
        _json(facts),
        str(event.seal_id or ""),
    ]


def _json(value: object) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)

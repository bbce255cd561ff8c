"""Single requests that are over, of chosen times and costs."""

from datetime import datetime
from decimal import Decimal

from batchapp.domain.direct_call import CHAT
from batchapp.models import DirectRequest, Project, ProviderKey, User
from tests.make import MODEL, make_key

State = DirectRequest.State


class DirectRequests:
    """Requests of ``project`` that ``person`` sent by a provider key of the project."""

    def __init__(self, project: Project, person: User) -> None:
        self.project, self.person = project, person
        self.key: ProviderKey = make_key(project)

    def make(
        self, ended_at: datetime | None, cost: str | None = "1", **fields: object
    ) -> DirectRequest:
        """Store a request that has cost so many dollars, None for unknown."""
        values: dict[str, object] = {
            "project": self.project,
            "created_by": self.person,
            "key": self.key,
            "endpoint": CHAT,
            "model": MODEL,
            "created_at": ended_at or datetime.fromisoformat("2026-01-01T00:00:00+00:00"),
            "ended_at": ended_at,
            "status_code": 200,
            "state": State.ANSWERED if ended_at else State.SENT,
            "cost_usd": None if cost is None else Decimal(cost),
        }
        return DirectRequest.objects.create(**values | fields)

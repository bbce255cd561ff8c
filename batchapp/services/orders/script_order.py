"""Order a batch for a script, which may send the same call twice."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from batchapp import access
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import Batch, IdempotencyKey, ProviderKey, Upload, User
from batchapp.models.people.user import portal_key_of
from batchapp.services.orders.order_checks import checked_report
from batchapp.services.orders.place_order import place_order

UNDONE = {Batch.Status.FAILED, Batch.Status.CANCELLED}


@dataclass(frozen=True, slots=True)
class ScriptOrder:
    """What a script asks for; ``further`` parameters only tell one order from another."""

    upload: Upload
    endpoint: str
    window: str
    metadata: dict[str, str] | None = None
    further: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Return a hash of the bytes of the file and of all parameters.

        The same bytes under another file id are the same order: a script that begins again uploads
        its file again.
        """
        parts = [self.upload.sha256, self.endpoint, self.window, self.metadata, dict(self.further)]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def place_script_order(user: User, order: ScriptOrder, *, idempotency_key: str = "") -> Batch:
    """Order a batch on the newest provider key of the project, else of the person.

    The same call again orders nothing, and returns the batch with ``was_ordered_before``: for a
    day with the same ``idempotency_key``, and without one for minutes with the same order. Without
    one, an order can be placed anew at once if its batch failed, if somebody cancelled it, or if
    its answers were deleted.

    Raises:
        NotAllowed: nothing was written.
        Refused: no batch was written.
    """
    project = order.upload.project
    access.require_write(user, project)
    report = checked_report(order.upload)
    if order.endpoint not in report.urls:
        urls = list(report.urls)
        raise Refused(Refusal.ENDPOINT_NOT_IN_FILE, endpoint=order.endpoint, urls=urls)
    return place_order(
        project,
        user,
        order.upload,
        ProviderKey.objects.for_scripts(user, project),
        window=order.window,
        submission=_submission(user, order, idempotency_key),
        endpoint=order.endpoint,
        metadata=order.metadata,
    )


def _submission(user: User, order: ScriptOrder, idempotency_key: str) -> UUID:
    """Return the id by which ``place_order`` knows the same order again."""
    portal_key = portal_key_of(user)
    if portal_key is None:
        return uuid4()
    call = IdempotencyKey.objects.remember(
        portal_key,
        IdempotencyKey.Call.CREATE_BATCH,
        order.fingerprint,
        value=idempotency_key,
    )
    if not idempotency_key:
        batch = Batch.objects.filter(submission=call.submission).first()
        if batch and (batch.cancel_requested_at or batch.purged_at or batch.status in UNDONE):
            call.renew()
    return call.submission

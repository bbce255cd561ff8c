"""Order a batch of the requests of a file, at the prices of this instant."""

import itertools
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from batchapp import access
from batchapp.domain.batch_labels import Labels, clean_cost_centre, clean_tags
from batchapp.domain.money.estimate import Estimate
from batchapp.domain.refused import Refusal, Refused
from batchapp.domain.request_files.check_file import Report
from batchapp.models import (
    REALTIME,
    Batch,
    BatchTag,
    Event,
    EventKind,
    ModelCost,
    Project,
    ProviderBatch,
    ProviderKey,
    Reservation,
    Upload,
    User,
)
from batchapp.models.people.user import portal_key_of
from batchapp.services.orders.order_approval import (
    ask_approval,
    expiry_of,
    over_budget,
    reasons_for,
)
from batchapp.services.orders.order_checks import (
    checked_report,
    keep_answers,
    keep_file,
    refuse_closed,
    refuse_deleted_answers,
    refuse_fallback,
    refuse_unfit,
    require_connection_in_use,
)
from batchapp.services.orders.order_labels import inherited_labels
from batchapp.services.orders.price_quotes import (
    frozen_model_costs,
    histories_for,
    price_tag,
    quote,
    sending_first,
    total_cost,
)

# A UUID, as scripts name files; its first group is enough to tell two of them apart.
UUID_TEXT = re.compile(r"([0-9a-f]{8})(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
NAME_LENGTH = 200  # characters of a batch's name; a file's name may be longer
POLICY_FIELDS = [
    *("approval_above_usd", "approval_by_most", "approval_if_unbounded", "approval_days"),
]
NUMBER_LENGTH = len(" (9999)")


def place_order(
    project: Project,
    user: User,
    upload: Upload,
    key: ProviderKey,
    *,
    window: str,
    fallback: str = "",
    sends_first: bool = False,
    name: str = "",
    submission: UUID,
    labels: Labels | None = None,
    shown_prices: str = "",
    shown_at: datetime | None = None,
    endpoint: str = "",
    metadata: dict[str, str] | None = None,
) -> Batch:
    """Order a batch of ``upload`` at the prices of this instant, and queue it for the workers.

    A batch that needs approval waits instead: it has no provider batch, so that nothing is sent.

    ``submission`` is the id of the order form: the same id always names the same batch, so a
    second click orders nothing, and ``was_ordered_before`` is set. All rows or none are written.

    ``shown_prices`` is the ``price_tag`` of the page on which the person decided, of all windows
    and realtime; "" without a page. ``shown_at`` is the time of that page: batches that ended
    later do not change the estimate, and an order of the same requests after that time is refused
    once. ``fallback`` is the longer window to use if ``window`` has no room. If ``sends_first``,
    some requests go before the others where that saves money, because these then read their
    prompts from the provider's cache. Without ``labels`` the batch has those of
    ``inherited_labels``. ``endpoint``, by default the url of most requests, is one of the urls of
    the file. ``metadata`` is kept as a script sent it.

    Raises:
        NotAllowed: nothing was written.
        Refused: nothing was written.
    """
    access.require_write(user, project)
    if batch := _ordered_before(project, submission):
        return batch
    report = checked_report(upload)
    labels = inherited_labels(upload) if labels is None else labels
    tags = clean_tags(labels.tags)
    refuse_fallback(project.connection, window, fallback)
    access.require_choose_key(user, key, project)
    if portal_key := portal_key_of(user):
        portal_key.require_models(report.models)
    if upload.project_id != project.pk:
        raise Refused(Refusal.FILE_OF_OTHER_PROJECT)
    refuse_unfit(project.connection, upload, key, window)
    refuse_deleted_answers(upload)
    refuse_closed(project.connection, report, window, fallback)
    now = timezone.now()
    windows = [*project.connection.windows, REALTIME]
    before = min(shown_at or now, now)
    histories = histories_for(report, project, user, before)
    prices = quote(
        report, project.connection, windows, now, histories, project=project, before=before
    )
    if shown_prices and shown_prices != price_tag(prices):
        raise Refused(Refusal.PRICES_CHANGED)
    if sends_first:
        prices = sending_first(prices)
    batch = Batch(
        project=project,
        connection=project.connection,
        key=key,
        upload=upload,
        created_by=user,
        portal_key=portal_key,
        submission=submission,
        name=name.strip()[:NAME_LENGTH] or default_name(upload),
        endpoint=endpoint or report.most_used_url,
        metadata=metadata,
        cost_centre=clean_cost_centre(labels.cost_centre),
        window=window,
        fallback_window=fallback,
        parent_id=upload.retry_of_id,
        requests=report.requests,
        sent_first=prices[window].sent_first if sends_first else 0,
        reused=upload.reuse.total if upload.reuse else 0,
        estimated_cost_usd=total_cost(prices[window]),
    )
    try:
        _store(batch, report, prices, tags, shown_at)
    except IntegrityError as exc:
        # Another process may have received the same form at the same instant.
        if stored := _ordered_before(project, submission):
            return stored
        raise Refused(Refusal.FORM_USED) from exc
    return batch


def _ordered_before(project: Project, submission: UUID) -> Batch | None:
    batch = Batch.objects.filter(submission=submission, project=project).first()
    if batch:
        batch.was_ordered_before = True
    return batch


def _store(
    batch: Batch,
    report: Report,
    prices: Mapping[str, Estimate],
    tags: Sequence[str],
    shown_at: datetime | None,
) -> None:
    """Store ``batch`` with its costs; it is queued for the workers, or waits for approval."""
    project, user = batch.project, batch.created_by
    with transaction.atomic():
        access.require_open(project)
        require_connection_in_use(batch.connection)
        if shown_at:
            _refuse_unseen(batch, shown_at)
        keep_file(batch.upload)
        keep_answers(batch.upload)
        # As it is stored: the policy may have changed since a script read the project.
        project.refresh_from_db(fields=POLICY_FIELDS)
        model_costs = frozen_model_costs(batch, report, prices)
        reasons = reasons_for(project, prices, batch.window, batch.fallback_window)
        reasons += over_budget(Reservation.objects.require_room(batch, model_costs))
        now = timezone.now()
        expires_at = expiry_of(project, now)
        if reasons:
            batch.status, batch.next_check_at = Batch.Status.AWAITING_APPROVAL, expires_at
        batch.save(force_insert=True)
        BatchTag.objects.add([batch], tags)
        ModelCost.objects.bulk_create(model_costs)
        Reservation.objects.hold(batch, model_costs)
        data: dict[str, Any] = {"window": batch.window, "fallback": batch.fallback_window}
        data |= {"sent_first": batch.sent_first} if batch.sent_first else {}
        Event.objects.create(batch=batch, actor=user, kind=EventKind.ORDERED, data=data)
        if reasons:
            ask_approval(batch, user, reasons, prices, expires_at)
        else:
            ProviderBatch.objects.create(batch=batch, total=report.requests, next_check_at=now)
        if batch.parent_id:
            data = {"batch": batch.name, "batch_id": str(batch.pk)}
            data["requests"] = report.requests
            Event.objects.create(
                batch_id=batch.parent_id, actor=user, kind=EventKind.RETRIED, data=data
            )


def same_file_batches(upload: Upload, window: str) -> Q:
    """Match the batches of the same bytes on the same window, of any project."""
    return Q(upload__sha256=upload.sha256, window=window)


def default_name(upload: Upload) -> str:
    """Return the file's name, with a number if the project has a batch of that name.

    Of a UUID in the name, as scripts name files, the beginning is left, and the number of requests
    is said, so that people can tell the batches apart.
    """
    name = upload.name.removesuffix(".jsonl").strip() or upload.name.strip()
    short = UUID_TEXT.sub(r"\1", name)
    if short != name and upload.requests is not None:
        name = f"{short}, {upload.requests:,} {'request' if upload.requests == 1 else 'requests'}"
    name = name[:NAME_LENGTH]
    stem = name[: NAME_LENGTH - NUMBER_LENGTH]
    similar = upload.project.batches.filter(Q(name=name) | Q(name__startswith=f"{stem} ("))
    names = set(similar.values_list("name", flat=True))
    if name not in names:
        return name
    numbered = (f"{stem} ({number})" for number in itertools.count(2))
    return next(candidate for candidate in numbered if candidate not in names)


def _refuse_unseen(batch: Batch, shown_at: datetime) -> None:
    # Two tabs may show the order page of the same file before either is submitted.
    same = same_file_batches(batch.upload, batch.window)
    batches = batch.project.batches.filter(same).exclude(submission=batch.submission)
    if batches.filter(created_at__gt=shown_at).exists():
        raise Refused(Refusal.SAME_FILE_ORDERED, window=batch.window)

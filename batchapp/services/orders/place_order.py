"""Order a batch of the requests of a file, at the prices of this instant."""

import itertools
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from batchapp import access
from batchapp.domain.refused import Refusal, Refused
from batchapp.domain.request_files.check_file import Report
from batchapp.domain.windows import is_longer
from batchapp.models import (
    REALTIME,
    Batch,
    Connection,
    Event,
    EventKind,
    ModelCost,
    Project,
    ProviderBatch,
    ProviderKey,
    Upload,
    User,
)
from batchapp.services.orders.model_windows import closed_windows
from batchapp.services.orders.price_quotes import (
    frozen_model_costs,
    histories_for,
    price_tag,
    quote,
    total_cost,
)

NAME_LENGTH = 200  # characters of a batch's name; a file's name may be longer
NUMBER_LENGTH = len(" (9999)")


def place_order(
    project: Project,
    user: User,
    upload: Upload,
    key: ProviderKey,
    *,
    window: str,
    fallback: str = "",
    name: str = "",
    submission: UUID,
    shown_prices: str = "",
    shown_at: datetime | None = None,
) -> Batch:
    """Order a batch of ``upload`` at the prices of this instant, and queue it for the workers.

    ``submission`` is the id of the order form: the same id always names the same batch, so a
    second click orders nothing. All rows or none are written.

    ``shown_prices`` is the ``price_tag`` of the page on which the person decided, of all windows
    and realtime; "" without a page. ``shown_at`` is the time of that page: batches that ended
    later do not change the estimate, and an order of the same requests after that time is refused
    once. ``fallback`` is the longer window to use if ``window`` has no room.

    Raises:
        NotAllowed: nothing was written.
        Refused: nothing was written.
    """
    access.require_write(user, project)
    if batch := Batch.objects.filter(submission=submission, project=project).first():
        return batch
    report = _checked_report(upload)
    _refuse_fallback(project.connection, window, fallback)
    access.require_choose_key(user, key, project)
    _refuse_unfit(project, upload, key, window)
    _refuse_closed(project.connection, report, window, fallback)
    now = timezone.now()
    windows = [*project.connection.windows, REALTIME]
    histories = histories_for(report, project, user, min(shown_at or now, now))
    prices = quote(report, project.connection, windows, now, histories)
    if shown_prices and shown_prices != price_tag(prices):
        raise Refused(Refusal.PRICES_CHANGED)
    batch = Batch(
        project=project,
        connection=project.connection,
        key=key,
        upload=upload,
        created_by=user,
        submission=submission,
        name=name.strip()[:NAME_LENGTH] or default_name(upload),
        endpoint=report.most_used_url,
        window=window,
        fallback_window=fallback,
        parent_id=upload.retry_of_id,
        requests=report.requests,
        estimated_cost_usd=total_cost(prices[window]),
    )
    try:
        with transaction.atomic():
            if shown_at:
                _refuse_unseen(batch, shown_at)
            batch.save(force_insert=True)
            ModelCost.objects.bulk_create(frozen_model_costs(batch, report, prices))
            ProviderBatch.objects.create(batch=batch, total=report.requests, next_check_at=now)
            data: dict[str, Any] = {"window": window, "fallback": fallback}
            Event.objects.create(batch=batch, actor=user, kind=EventKind.ORDERED, data=data)
            if batch.parent_id:
                data = {"batch": batch.name, "batch_id": str(batch.pk)}
                data["requests"] = report.requests
                Event.objects.create(
                    batch_id=batch.parent_id, actor=user, kind=EventKind.RETRIED, data=data
                )
    except IntegrityError as exc:
        # Another process may have received the same form at the same instant.
        if stored := Batch.objects.filter(submission=submission, project=project).first():
            return stored
        raise Refused(Refusal.FORM_USED) from exc
    return batch


def _checked_report(upload: Upload) -> Report:
    """Return the report of a file without errors.

    Raises:
        Refused: the file is not checked yet, or has errors.
    """
    report = upload.report
    if report is None or upload.status != Upload.Status.READY:
        raise Refused(Refusal.FILE_NOT_READY)
    return report


def same_file_batches(upload: Upload, window: str) -> Q:
    """Match the batches of the same bytes on the same window, of any project."""
    return Q(upload__sha256=upload.sha256, window=window)


def default_name(upload: Upload) -> str:
    """Return the file's name, with a number if the project has a batch of that name."""
    name = (upload.name.removesuffix(".jsonl").strip() or upload.name.strip())[:NAME_LENGTH]
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


def _refuse_fallback(connection: Connection, window: str, fallback: str) -> None:
    if fallback and fallback not in connection.windows:
        raise Refused(
            Refusal.FALLBACK_NOT_OFFERED,
            connection=connection.name,
            window=fallback,
            windows=connection.windows,
        )
    if fallback and not is_longer(fallback, window):
        raise Refused(Refusal.FALLBACK_NOT_LONGER, window=window)


def _refuse_unfit(project: Project, upload: Upload, key: ProviderKey, window: str) -> None:
    if upload.project_id != project.pk:
        raise Refused(Refusal.FILE_OF_OTHER_PROJECT)
    if window not in project.connection.windows:
        raise Refused(
            Refusal.WINDOW_NOT_OFFERED,
            connection=project.connection.name,
            window=window,
            windows=project.connection.windows,
        )
    if not ProviderKey.objects.filter(pk=key.pk).exclude(ciphertext="").exists():
        raise Refused(Refusal.KEY_REMOVED)
    _refuse_stale(upload)


def _refuse_closed(connection: Connection, report: Report, *windows: str) -> None:
    """Refuse a window in which a model of the file does not run; the provider would, too."""
    closed = closed_windows(report, connection)
    for window in windows:
        if window in closed:
            raise Refused(
                Refusal.WINDOW_NOT_FOR_MODEL,
                model=closed[window],
                window=window,
                windows=[name for name in connection.windows if name not in closed],
            )


def _refuse_stale(upload: Upload) -> None:
    parent = upload.retry_of
    if parent is None:
        return
    # A retry in place after the retry file was requested runs the same requests: they would be
    # paid twice.
    is_retried_in_place = Q(status=ProviderBatch.Status.RETRYING_IN_PLACE) | Q(
        retried_in_place_at__gt=upload.created_at
    )
    if parent.provider_batches.filter(is_retried_in_place).exists():
        raise Refused(Refusal.RETRIED_IN_PLACE, batch=parent.name)

"""The decision to run a file, at the prices of this instant."""

import itertools
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from batchapp.domain.windows import is_longer
from batchapp.models import (
    REALTIME,
    Batch,
    Connection,
    Event,
    ModelCost,
    Project,
    ProviderBatch,
    ProviderKey,
    Upload,
    User,
)
from batchapp.services.orders.price_quotes import (
    frozen_model_costs,
    histories_for,
    price_tag,
    quote,
    total_cost,
)

NAME_LENGTH = 200
"""Characters of a batch's name; a file's may be longer."""

NUMBER_LENGTH = len(" (9999)")


class Refused(Exception):
    """The batch cannot be ordered as asked; the message is a sentence for the person."""


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
    shown: str = "",
    seen: datetime | None = None,
) -> Batch:
    """Decide to run ``upload``, at the prices of this instant; the workers take it from here.

    ``submission`` is made with the form that asks: the same one always names the same batch, so
    a second click orders nothing. All rows or none are written.

    ``shown`` is the ``price_tag`` of what the person saw, of all windows and realtime; "" if
    nobody looked. The estimate is kept as it was ``seen`` then: batches that ended since do not
    change it, and one of the same requests that came since was not seen, so it is refused once.
    ``fallback`` is the longer window where it goes if there is no room in ``window``.

    Raises:
        Refused: nothing was written.
    """
    if before := Batch.objects.filter(submission=submission, project=project).first():
        return before
    report = upload.report
    if report is None or upload.status != Upload.Status.READY:
        raise Refused("This file is not ready: it is still being checked, or it has errors.")
    _refuse_fallback(project.connection, window, fallback)
    _refuse_unless_fit(project, user, upload, key, window)
    now = timezone.now()
    windows = [*project.connection.windows, REALTIME]
    histories = histories_for(report, project, user, min(seen or now, now))
    prices = quote(report, project.connection, windows, now, histories)
    if shown and shown != price_tag(prices):
        raise Refused("The prices changed since you saw them. Look at the new ones, then submit.")
    batch = Batch(
        project=project,
        connection=project.connection,
        key=key,
        upload=upload,
        created_by=user,
        submission=submission,
        name=name.strip()[:NAME_LENGTH] or default_name(upload),
        endpoint=max(report.urls, key=lambda url: report.urls[url]),
        window=window,
        fallback_window=fallback,
        parent_id=upload.retry_of_id,
        requests=report.requests,
        estimated_cost_usd=total_cost(prices[window]),
    )
    try:
        with transaction.atomic():
            if seen:
                _refuse_unseen(batch, seen)
            batch.save(force_insert=True)
            ModelCost.objects.bulk_create(frozen_model_costs(batch, report, prices))
            ProviderBatch.objects.create(batch=batch, total=report.requests, next_check_at=now)
            text = f"Submitted, {window} window"
            text += f", or {fallback} if there is no room in it." if fallback else "."
            Event.objects.create(batch=batch, actor=user, text=text)
            if batch.parent_id:
                told = f"Retried as {batch.name}: {report.requests:,} requests."
                Event.objects.create(batch_id=batch.parent_id, actor=user, text=told)
    except IntegrityError as exc:
        # The same form, at the same instant, through another process?
        if before := Batch.objects.filter(submission=submission, project=project).first():
            return before
        raise Refused(
            "This form was used before, or its file or key was removed just now. Start "
            "the order again."
        ) from exc
    return batch


def same_file_batches(upload: Upload, window: str) -> Q:
    """Batches of the same bytes as ``upload`` on the same window, of any project."""
    return Q(upload__sha256=upload.sha256, window=window)


def default_name(upload: Upload) -> str:
    """What a batch of ``upload`` is called unless somebody says otherwise.

    It has a number when the project has a batch of that name.
    """
    name = (upload.name.removesuffix(".jsonl").strip() or upload.name.strip())[:NAME_LENGTH]
    stem = name[: NAME_LENGTH - NUMBER_LENGTH]
    similar = upload.project.batches.filter(Q(name=name) | Q(name__startswith=f"{stem} ("))
    taken = set(similar.values_list("name", flat=True))
    if name not in taken:
        return name
    numbered = (f"{stem} ({number})" for number in itertools.count(2))
    return next(each for each in numbered if each not in taken)


def _refuse_unseen(batch: Batch, seen: datetime) -> None:
    """As when the same file is ordered in two tabs, both opened before either is submitted."""
    same = same_file_batches(batch.upload, batch.window)
    others = batch.project.batches.filter(same).exclude(submission=batch.submission)
    if others.filter(created_at__gt=seen).exists():
        raise Refused(
            f"The same requests were submitted on the {batch.window} window after this page was "
            "opened. Look at that batch first. To have the answers once more, submit again."
        )


def _refuse_fallback(connection: Connection, window: str, fallback: str) -> None:
    if not fallback:
        return
    if fallback not in connection.windows:
        raise Refused(
            f"{connection} does not offer the {fallback} window to fall back to. "
            f"Choose one of: {', '.join(connection.windows)}."
        )
    if not is_longer(fallback, window):
        raise Refused(f"Only a window longer than {window} can be fallen back to.")


def _refuse_unless_fit(
    project: Project, user: User, upload: Upload, key: ProviderKey, window: str
) -> None:
    if upload.project_id != project.pk:
        raise Refused("This file belongs to another project.")
    if window not in project.connection.windows:
        raise Refused(
            f"{project.connection} does not offer the {window} window. "
            f"Choose one of: {', '.join(project.connection.windows)}."
        )
    if not ProviderKey.objects.usable_by(user, project).filter(pk=key.pk).exists():
        raise Refused("Choose one of your own provider keys or one of the project's.")
    _refuse_stale(upload)


def _refuse_stale(upload: Upload) -> None:
    """What runs again in its own batch since the file of a retry was made would be paid twice."""
    parent = upload.retry_of
    if parent is None:
        return
    is_reopened = Q(status=ProviderBatch.Status.RETRYING_IN_PLACE) | Q(
        retried_in_place_at__gt=upload.created_at
    )
    if parent.provider_batches.filter(is_reopened).exists():
        raise Refused(
            f"What failed in {parent} was run again there since this file was made. Once it has "
            "ended, retry what is left."
        )

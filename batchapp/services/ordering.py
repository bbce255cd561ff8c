"""The second room: what a file would cost, and the decision to run it."""

import hashlib
import itertools
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from batchapp.domain.money.calibration import History
from batchapp.domain.money.estimate import Estimate, estimate
from batchapp.domain.money.pricing import UnitPrice
from batchapp.domain.preflight.jsonl import Report
from batchapp.models import (
    REALTIME,
    Batch,
    Charge,
    Connection,
    Event,
    Part,
    Price,
    Project,
    ProviderKey,
    Upload,
    User,
    Watch,
)
from batchapp.models.money import rounded
from batchapp.upstream.types import RemoteBatch

NAME_LENGTH = 200
"""Characters of a batch's name; a file's may be longer."""

ENDPOINT_LENGTH, WINDOW_LENGTH = 100, 20
"""Characters that are kept of what another program asked the provider for."""

MOMENT = "%-d %B %Y, %H:%M %Z"

NUMBER_LENGTH = len(" (9999)")

LENGTH = re.compile(r"(\d{1,5}) ?(?:(m(?:in(?:ute)?s?)?)|(h(?:ours?)?)|(d(?:ays?)?))")


class Refused(Exception):
    """The batch cannot be ordered as asked; the message is a sentence for the person."""


def quote(
    report: Report,
    connection: Connection,
    windows: Iterable[str],
    at: datetime,
    histories: Mapping[str, History] | None = None,
) -> dict[str, Estimate]:
    """Window -> what the checked file would cost there, at the prices in force at ``at``.

    ``histories`` are those of ``learnt``; without them, output is judged by the input.
    """
    found = connection.prices.matched(report.models, windows, at)
    books = {
        window: {model: _unit_price(row) for model, row in rows.items()}
        for window, rows in found.items()
    }
    return {
        window: estimate(report.models, book, window, histories) for window, book in books.items()
    }


def learnt(report: Report, project: Project, user: User, before: datetime) -> dict[str, History]:
    """How long answers to the file's requests will be, by batches that ended before then."""
    return Charge.objects.histories(report.models, project, user, before)


def _unit_price(row: Price) -> UnitPrice:
    return UnitPrice(row.input_usd, row.output_usd, row=row.pk, since=row.effective_from)


def due(window: str, at: datetime) -> datetime | None:
    """When a batch of ``window`` that is submitted at ``at`` should be done at the latest.

    None for a window that does not say how long it is.
    """
    found = LENGTH.fullmatch(window.strip().lower())
    if not found:
        return None
    number = int(found[1])
    if found[2]:
        return at + timedelta(minutes=number)
    return at + (timedelta(hours=number) if found[3] else timedelta(days=number))


def is_longer(window: str, other: str) -> bool:
    """Whether ``window`` leaves more time than ``other``; no if either does not say how long."""
    at = timezone.now()
    ours, theirs = due(window, at), due(other, at)
    return ours is not None and theirs is not None and ours > theirs


def price_tag(quotes: Mapping[str, Estimate]) -> str:
    """A short text that stays the same as long as every price in ``quotes`` does."""
    prices = [
        (window, line.model, line.price and (f"{line.price.input:f}", f"{line.price.output:f}"))
        for window, asked in quotes.items()
        for line in asked.models
    ]
    return hashlib.sha256(repr(sorted(prices, key=repr)).encode()).hexdigest()


def default_name(upload: Upload) -> str:
    """What a batch of ``upload`` is called unless somebody says otherwise.

    It has a number when the project has a batch of that name.
    """
    name = (upload.name.removesuffix(".jsonl").strip() or upload.name.strip())[:NAME_LENGTH]
    stem = name[: NAME_LENGTH - NUMBER_LENGTH]
    alike = upload.project.batches.filter(Q(name=name) | Q(name__startswith=f"{stem} ("))
    taken = set(alike.values_list("name", flat=True))
    if name not in taken:
        return name
    numbered = (f"{stem} ({number})" for number in itertools.count(2))
    return next(each for each in numbered if each not in taken)


def order(
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
    change it. ``fallback`` is the longer window where it goes if there is no room in ``window``.

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
    histories = learnt(report, project, user, min(seen or now, now))
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
        estimated_cost_usd=_total(prices[window]),
    )
    try:
        with transaction.atomic():
            batch.save(force_insert=True)
            Charge.objects.bulk_create(_charges(batch, report, prices))
            Part.objects.create(batch=batch, total=report.requests, next_check_at=now)
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


def adopt(
    project: Project,
    user: User,
    upload: Upload,
    key: ProviderKey,
    remote: RemoteBatch,
    *,
    submission: UUID,
) -> Batch:
    """Enter a batch that was made elsewhere of ``upload``; it is followed like one of ours.

    Its prices and its estimate are those of the time when it was made. All rows or none are
    written; ``submission`` always names the same batch.

    Raises:
        Refused: nothing was written.
    """
    if before := Batch.objects.filter(submission=submission, project=project).first():
        return before
    report = upload.report
    if report is None or upload.status != Upload.Status.READY:
        raise Refused("This file is not ready: it is still being checked, or it has errors.")
    if not ProviderKey.objects.usable_by(user, project).filter(pk=key.pk).exists():
        raise Refused("The provider key was removed. Bring the batch in with another.")
    usual = max(report.urls, key=lambda url: report.urls[url])
    batch = Batch(
        project=project,
        connection=project.connection,
        key=key,
        upload=upload,
        created_by=user,
        submission=submission,
        name=default_name(upload),
        endpoint=remote.endpoint[:ENDPOINT_LENGTH] or usual,
        window=remote.window[:WINDOW_LENGTH] or project.connection.windows[0],
        requests=report.requests,
    )
    try:
        with transaction.atomic():
            _enter(batch, report, remote)
    except IntegrityError as exc:
        raise Refused("Its file or its key was removed here just now. Try again.") from exc
    return batch


def _enter(batch: Batch, report: Report, remote: RemoteBatch) -> None:
    """Save ``batch`` with its charges, and a part that is at the provider already, whole.

    What the part still lacks is its ledger.
    """
    now = timezone.now()
    made_at = min(remote.created_at or now, now)
    windows = [batch.window, REALTIME]
    histories = learnt(report, batch.project, batch.created_by, made_at)
    prices = quote(report, batch.connection, windows, made_at, histories)
    batch.estimated_cost_usd = _total(prices[batch.window])
    batch.save(force_insert=True)
    Charge.objects.bulk_create(_charges(batch, report, prices))
    Part.objects.create(
        batch=batch,
        total=batch.requests,
        size=batch.upload.size,
        upstream_id=remote.id,
        upstream_file_id=remote.input_file_id,
        upstream_status=remote.raw_status,
        output_file_id=remote.output_file_id or "",
        error_file_id=remote.error_file_id or "",
        create_attempted_at=made_at,
        submitted_at=made_at,
        admitted_at=made_at,
        expires_at=remote.expires_at,
        next_check_at=now,
    )
    Watch.objects.begin(batch.key)
    made = timezone.localtime(made_at)
    text = f"Brought in from {batch.connection}, where it was made on {made:{MOMENT}}."
    Event.objects.create(batch=batch, actor=batch.created_by, text=text)


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


def _charges(batch: Batch, report: Report, quotes: Mapping[str, Estimate]) -> list[Charge]:
    """What each model of ``batch`` costs, by the quotes of its windows and of realtime."""
    realtime = {line.model: line.price for line in quotes[REALTIME].models}
    fallback = quotes.get(batch.fallback_window)
    longer = {line.model: line.price for line in fallback.models} if fallback else {}
    return [
        Charge(
            batch=batch,
            model=line.model,
            requests=line.requests,
            **_frozen(line.price, ""),
            **_frozen(realtime.get(line.model), "realtime_"),
            **_frozen(longer.get(line.model), "fallback_"),
            shape=report.models[line.model].shape,
            basis=line.basis,
            unbounded_requests=line.unbounded_requests,
            estimated_input_tokens=line.input_tokens,
            estimated_output_tokens=line.output_expected,
            estimated_low_usd=line.low_usd,
            estimated_cost_usd=line.expected_usd,
            estimated_ceiling_usd=line.ceiling_usd,
        )
        for line in quotes[batch.window].models
    ]


def _frozen(price: UnitPrice | None, prefix: str) -> dict[str, Any]:
    """The fields of a charge that keep ``price``, and the row of the price table it is from."""
    if price is None:
        return {}
    return {
        f"{prefix}input_price": price.input,
        f"{prefix}output_price": price.output,
        f"{prefix}price_row": price.row,
        f"{prefix}price_since": price.since,
    }


def _total(asked: Estimate) -> Decimal | None:
    """Return the sum of the charges as stored, or None while a model has no price."""
    if asked.unpriced:
        return None
    return sum((rounded(line.expected_usd or Decimal(0)) for line in asked.models), Decimal(0))

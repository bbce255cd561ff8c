"""Add, change and remove models of a connection, one by one or from a list.

Only administrators may: for others each of these raises ``NotAllowed``, and nothing is written.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import msgspec
from django.core.exceptions import ValidationError
from django.db import transaction

from batchapp import access
from batchapp.access import Actor
from batchapp.domain import model_card_csv
from batchapp.domain.csv_list import BadLine
from batchapp.domain.model_cards import INPUTS, ModelCard
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import AuditEvent, AuditKind, Connection, OfferedModel, User
from batchapp.models.providers.offered_model import columns

MAX_NAMED = 50  # models of a list that the audit names; it counts the others


@dataclass(frozen=True, slots=True)
class Written:
    """How many models a list added and changed; with ``bad`` lines, nothing was written."""

    added: int = 0
    changed: int = 0
    bad: tuple[BadLine, ...] = ()


def save(row: OfferedModel, actor: Actor) -> OfferedModel:
    """Write a new or changed row.

    Raises:
        Refused: a fact is invalid, or the connection has another row of the model.
    """
    access.require_administer(actor)
    try:
        row.full_clean()
    except ValidationError as exc:
        raise Refused(Refusal.MODEL_INVALID, messages=" ".join(exc.messages)) from exc
    old = OfferedModel.objects.filter(pk=row.pk).first() if row.pk else None
    with transaction.atomic():
        row.save()
        _record(
            AuditKind.MODEL_CHANGED if old else AuditKind.MODEL_ADDED,
            actor,
            row.connection,
            model=row.model,
            before=_facts(old.card) if old else None,
            after=_facts(row.card),
        )
    return row


def remove(row: OfferedModel, actor: Actor) -> None:
    """Remove what is known of a model; files that were checked keep their findings."""
    access.require_administer(actor)
    with transaction.atomic():
        _record(AuditKind.MODEL_REMOVED, actor, row.connection, model=row.model)
        row.delete()


def load_doubleword_models(connection: Connection, actor: Actor) -> Written:
    """Add the models of Doubleword's list, and complete rows that lack facts; no fact changes.

    Raises:
        Refused: the connection is to another provider, which may serve the same models with
            other limits.
    """
    access.require_administer(actor)
    if not connection.has_shipped_lists:
        raise Refused(Refusal.MODELS_OF_DOUBLEWORD, connection=connection.name)
    return _merge(connection, actor, doubleword_cards(), lambda old, new: old.filled_from(new))


def doubleword_cards() -> list[ModelCard]:
    """Return the model cards that the portal ships."""
    text = files("batchapp").joinpath("data/doubleword_models.csv").read_text()
    return list(model_card_csv.read_cards(text).cards.values())


def import_csv(connection: Connection, actor: Actor, text: str) -> Written:
    """Write the models of a CSV; a row of the list replaces all facts of its model.

    Raises:
        UnreadableList: the text is no list of models.
    """
    access.require_administer(actor)
    parsed = model_card_csv.read_cards(text)
    if parsed.bad:
        return Written(bad=tuple(parsed.bad))
    return _merge(connection, actor, parsed.cards.values(), lambda _, new: new)


def fill(connection: Connection, actor: Actor, cards: Iterable[ModelCard]) -> Written:
    """Write what the provider itself says of its models; its facts replace other facts.

    Of the inputs nothing is taken away: a provider may name fewer than its models read.
    """
    access.require_administer(actor)
    return _merge(connection, actor, cards, _told_over_known)


def _told_over_known(known: ModelCard, told: ModelCard) -> ModelCard:
    inputs = tuple(name for name in INPUTS if name in (*known.inputs, *told.inputs))
    return msgspec.structs.replace(told.filled_from(known), inputs=inputs)


def _merge(
    connection: Connection,
    actor: Actor,
    cards: Iterable[ModelCard],
    combine: Callable[[ModelCard, ModelCard], ModelCard],
) -> Written:
    """Write ``cards``, combined with the stored cards, all or nothing.

    A card that differs in its source alone is not written.
    """
    with transaction.atomic():
        stored = connection.offered_models.cards()
        added, changed = [], []
        for card in cards:
            old = stored.get(card.model)
            if old is None:
                added.append(card)
            elif not _same_facts(old, new := combine(old, card)):
                changed.append(new)
        OfferedModel.objects.bulk_create(
            [OfferedModel(connection=connection, **columns(card)) for card in (*added, *changed)],
            update_conflicts=True,
            unique_fields=["connection", "model"],
            update_fields=[name for name in model_card_csv.COLUMNS if name != "model"],
        )
        if added or changed:
            _record(
                AuditKind.MODELS_WRITTEN,
                actor,
                connection,
                added=len(added),
                changed=len(changed),
                models=[card.model for card in (*added, *changed)][:MAX_NAMED],
            )
    return Written(len(added), len(changed))


def _facts(card: ModelCard) -> dict[str, Any]:
    """Return what the audit keeps of a model: each fact that is known."""
    facts = {name: getattr(card, name) for name in card.__struct_fields__ if name != "model"}
    return {
        name: [*value] if isinstance(value, tuple) else value
        for name, value in facts.items()
        if value
    }


def _record(kind: AuditKind, actor: Actor, connection: Connection, **data: Any) -> None:
    person = actor if isinstance(actor, User) else None
    AuditEvent.objects.record(kind, person, connection=connection.name, **data)


def _same_facts(card: ModelCard, other: ModelCard) -> bool:
    return card == msgspec.structs.replace(other, source=card.source)

"""By what the costs of a report are grouped."""

from dataclasses import dataclass

from django.db.models import Case, CharField, F, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Concat

from batchapp.models import REALTIME
from batchapp.models.direct.direct_request import FLEX

BATCH, SINGLE = "batch", "single"  # the kinds of what costs money


@dataclass(frozen=True, slots=True)
class Dimension:
    """A property of batches and single requests, or of the costs of one model.

    ``key`` is the lookup, from a ``ModelCost``, of what tells groups apart, and ``name`` of what
    people read. ``single_key`` is the lookup from a ``DirectRequest``, "" if there is none, and
    ``single`` has the expressions of the key and of the name there. If groups overlap, a batch
    may be in several of them; if costs overlap, also the cost of one row is in several, and the
    groups add up to more than the total.
    """

    key: str | Combinable
    name: str | Combinable
    single: tuple[Combinable, Combinable]
    single_key: str = ""
    groups_overlap: bool = False
    costs_overlap: bool = False

    @property
    def columns(self) -> tuple[Combinable, Combinable]:
        """Return the expressions of the key and of the name."""
        return (
            F(self.key) if isinstance(self.key, str) else self.key,
            F(self.name) if isinstance(self.name, str) else self.name,
        )


def _text(text: str) -> Value:
    return Value(text, output_field=CharField())


def _portal_key(prefix: str) -> Case:
    """Return the name of a portal key: two people may give the same, a service key is of nobody.

    ``prefix`` leads to it, from a ``ModelCost`` or a ``DirectRequest``.
    """
    return Case(
        When(**{f"{prefix}portal_key": None}, then=Value("")),
        When(
            **{f"{prefix}portal_key__user__is_service_account": True},
            then=Concat(f"{prefix}portal_key__name", Value(" (service key)")),
        ),
        default=Concat(
            f"{prefix}portal_key__name",
            Value(" ("),
            f"{prefix}portal_key__user__email",
            Value(")"),
            output_field=CharField(),
        ),
        output_field=CharField(),
    )


def _person(prefix: str) -> Case:
    """Return the address of a person; nobody reads that of the account of service keys."""
    return Case(
        When(
            **{f"{prefix}created_by__is_service_account": True},
            then=Concat(Value("Service keys of "), f"{prefix}project__name"),
        ),
        default=F(f"{prefix}created_by__email"),
        output_field=CharField(),
    )


def _provider_key(prefix: str) -> Concat:
    return Concat(f"{prefix}key__name", Value(" (…"), f"{prefix}key__last_four", Value(")"))


_NONE = (_text(""), _text(""))  # a single request has no tag and no cost centre
_TIER = Case(When(tier=FLEX, then=_text(FLEX)), default=_text(REALTIME))
DIMENSIONS = {
    "project": Dimension(
        "batch__project__slug",
        "batch__project__name",
        (F("project__slug"), F("project__name")),
        "project__slug",
    ),
    "user": Dimension(
        "batch__created_by__email",
        _person("batch__"),
        (F("created_by__email"), _person("")),
        "created_by__email",
    ),
    "model": Dimension("model", "model", (F("model"), F("model")), "model", groups_overlap=True),
    "key": Dimension("batch__key", _provider_key("batch__"), (F("key"), _provider_key("")), "key"),
    "portal_key": Dimension(
        "batch__portal_key",
        _portal_key("batch__"),
        (F("portal_key"), _portal_key("")),
        "portal_key",
    ),
    "tag": Dimension(
        "batch__tags__name", "batch__tags__name", _NONE, groups_overlap=True, costs_overlap=True
    ),
    "cost_centre": Dimension("batch__cost_centre", "batch__cost_centre", _NONE),
    "window": Dimension("batch__window", "batch__window", (_TIER, _TIER)),
    "connection": Dimension(
        "batch__connection",
        "batch__connection__name",
        (F("key__connection"), F("key__connection__name")),
        "key__connection",
    ),
    "kind": Dimension(_text(BATCH), _text("Batches"), (_text(SINGLE), _text("Single requests"))),
}

"""The models of a connection, and what is known of each."""

from collections.abc import Iterable
from typing import Any, Self

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from batchapp.domain.model_cards import Kind, ModelCard, Thinking
from batchapp.models.providers.connection import Connection


class OfferedModelQuerySet(models.QuerySet["OfferedModel"]):
    def cards(self, names: Iterable[str] | None = None) -> dict[str, ModelCard]:
        """Return model -> card, of all rows or of the models in ``names``, with one query."""
        rows = self if names is None else self.filter(model__in=list(names))
        return {row.model: row.card for row in rows}

    def answering(self, kind: Kind) -> Self:
        """Return the models that answer at this kind of endpoint, or whose kind is not known."""
        return self.filter(Q(kind=kind) | Q(kind=""))


class OfferedModel(models.Model):
    """A model that a connection offers, by the name that requests give it; see ``ModelCard``."""

    KINDS = [
        (Kind.CHAT.value, "Chat"),
        (Kind.COMPLETIONS.value, "Completions"),
        (Kind.EMBEDDINGS.value, "Embeddings"),
        (Kind.RERANKER.value, "Reranker"),
    ]
    THINKING = [
        (Thinking.NEVER.value, "Never thinks"),
        (Thinking.ALWAYS.value, "Always thinks"),
        (Thinking.SWITCH.value, "Can be switched on and off"),
    ]

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="offered_models")
    model = models.CharField(max_length=200, help_text="The provider's exact name for it.")
    kind = models.CharField(
        "endpoint", max_length=20, blank=True, choices=KINDS, help_text="Empty if not known."
    )
    inputs = models.JSONField(
        default=list, blank=True, help_text="Of text, image, audio, video; empty if not known."
    )
    context_tokens = models.PositiveIntegerField(
        "context",
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Tokens of the prompt and the answer together.",
    )
    max_new_tokens = models.PositiveIntegerField(
        "most new tokens",
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Tokens of the answer alone.",
    )
    thinking = models.CharField(max_length=20, blank=True, choices=THINKING)
    windows = models.JSONField(
        default=list, blank=True, help_text="Empty for all windows of the connection."
    )
    source = models.CharField(max_length=200, blank=True, help_text="Where the facts are from.")

    objects = OfferedModelQuerySet.as_manager()

    class Meta:
        ordering = ["connection", "model"]
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "model"], name="one_row_per_offered_model"
            )
        ]

    def __str__(self) -> str:
        return self.model

    @property
    def card(self) -> ModelCard:
        return ModelCard(
            model=self.model,
            kind=self.kind,
            inputs=tuple(self.inputs),
            context_tokens=self.context_tokens,
            max_new_tokens=self.max_new_tokens,
            thinking=self.thinking,
            windows=tuple(self.windows),
            source=self.source,
        )

    def clean(self) -> None:
        self.model = self.model.strip()


def columns(card: ModelCard) -> dict[str, Any]:
    """Return the columns of a row with the facts of ``card``."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name in ModelCard.__struct_fields__
        for value in [getattr(card, name)]
    }

"""The models that a prompt may be sent to, with their price and their context length."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.utils import timezone

from batchapp.domain.model_cards import Kind, ModelCard, Thinking
from batchapp.domain.windows import spaced
from batchapp.models import Connection, Project
from batchapp.templatetags.words import rate

EMBEDDING_NAME = "embed"  # in the name of a model whose kind is not known
LAST_TABLES = 20  # whose model is tried as the first choice


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """``amounts`` are the USD per million input and output tokens in the usual window."""

    card: ModelCard
    window: str = ""
    amounts: tuple[Decimal, Decimal] | None = None

    @property
    def model(self) -> str:
        return self.card.model

    @property
    def is_embedding(self) -> bool:
        if self.card.kind:
            return self.card.kind == Kind.EMBEDDINGS
        return EMBEDDING_NAME in self.model.lower()

    @property
    def can_turn_thinking_off(self) -> bool:
        return self.card.thinking == Thinking.SWITCH

    @property
    def note(self) -> str:
        """Price and context in words; what is not known is left out, but a missing price said."""
        if self.amounts is None:
            price = "no price"
        else:
            into, out = (rate(amount) for amount in self.amounts)
            price = f"{into} in, {out} out per 1M in {spaced(self.window)}"
        context = self.card.context_tokens
        return f"{price} · {_thousands(context)} context" if context else price


def model_choices(connection: Connection) -> list[ModelChoice]:
    """Return the models with a price or a card, by name."""
    cards = connection.offered_models.cards()
    amounts = {}
    prices = connection.prices.in_force(timezone.now()).exclude(model__contains="*")
    order = {window: number for number, window in enumerate(reversed(connection.windows))}
    for price in sorted(prices, key=lambda price: order.get(price.window, -1)):
        amounts[price.model] = price.window, (price.input_usd, price.output_usd)
    choices = []
    for model in sorted({*cards, *amounts}, key=str.lower):
        window, pair = amounts.get(model, ("", None))
        choices.append(ModelChoice(cards.get(model, ModelCard(model)), window, pair))
    return choices


def find_choice(choices: Iterable[ModelChoice], model: str) -> ModelChoice:
    return next((row for row in choices if row.model == model), ModelChoice(ModelCard(model)))


def first_choice(
    project: Project, choices: Iterable[ModelChoice], *, is_embedding: bool = False
) -> str:
    """Return the model that the project's newest table uses, else the cheapest; "" without one."""
    fitting = [row for row in choices if row.is_embedding == is_embedding]
    names = {row.model for row in fitting}
    stored = project.tables.exclude(prompt_settings_fields=None).order_by("-used_at")
    for fields in stored.values_list("prompt_settings_fields", flat=True)[:LAST_TABLES]:
        if isinstance(fields, dict) and fields.get("model") in names:
            return str(fields["model"])
    priced = [(sum(row.amounts), row.model) for row in fitting if row.amounts and _is_general(row)]
    return min(priced)[1] if priced else next(iter(sorted(names)), "")


def _is_general(choice: ModelChoice) -> bool:
    """Return False for models that read pages of scanned documents and nothing else."""
    return "ocr" not in choice.model.lower()


def _thousands(tokens: int) -> str:
    """Return "262K" or "1M" for a number of tokens."""
    if tokens >= 1_000_000:
        return f"{tokens / 1_000_000:.3g}M"
    return f"{tokens // 1000}K" if tokens >= 1000 else str(tokens)

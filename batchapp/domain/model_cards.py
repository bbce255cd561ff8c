"""Model cards: what is known of a model, which the check of a file compares requests with.

Whatever no source states stays unknown: "", None or an empty tuple. Unknown is never guessed, and
nothing is checked against it.
"""

from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """The kind of endpoint that a model answers at."""

    CHAT = "chat"
    COMPLETIONS = "completions"
    EMBEDDINGS = "embeddings"
    RERANKER = "reranker"


class Thinking(StrEnum):
    """A model thinks before it answers never, always, or as the request says."""

    NEVER = "never"
    ALWAYS = "always"
    SWITCH = "switch"


INPUTS = ("text", "image", "audio", "video")

# Kind -> the urls at which such a model answers. Source: the provider's server, control-layer
# 10.13, which serves chat models at all urls but that of embeddings.
URLS: dict[str, frozenset[str]] = {
    Kind.CHAT: frozenset(
        {"/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages"}
    ),
    Kind.COMPLETIONS: frozenset({"/v1/completions"}),
    Kind.EMBEDDINGS: frozenset({"/v1/embeddings"}),
    Kind.RERANKER: frozenset[str](),
}


class ModelCard(msgspec.Struct, frozen=True):
    """The known facts of one model, by its exact name in requests.

    ``inputs`` are of ``INPUTS``. ``context_tokens`` limits the prompt and the answer together,
    ``max_new_tokens`` the answer alone. ``windows`` are the completion windows of its batches; ()
    means all windows of the connection. ``source`` says where the facts are from.
    """

    model: str
    kind: str = ""
    inputs: tuple[str, ...] = ()
    context_tokens: int | None = None
    max_new_tokens: int | None = None
    thinking: str = ""
    windows: tuple[str, ...] = ()
    source: str = ""

    @property
    def urls(self) -> frozenset[str] | None:
        """Return the urls at which the model answers; None if its kind is not known."""
        return URLS.get(self.kind)

    def takes(self, kind_of_input: str) -> bool:
        """Return False only if it is known that the model cannot read this kind of input."""
        return not self.inputs or kind_of_input in self.inputs

    def filled_from(self, other: "ModelCard") -> "ModelCard":
        """Return this card with the facts of ``other`` where this card has none."""
        facts = msgspec.structs.asdict(self)
        return ModelCard(**{name: value or getattr(other, name) for name, value in facts.items()})

"""The length of one answer in tokens, and what says so."""

from typing import NamedTuple

CHARACTERS_PER_TOKEN = 4  # of English; the same figure as of the provider's own estimate
TOKENS_PER_WORD = 1.3  # Source: https://platform.openai.com/tokenizer, 100 tokens are 75 words


class Span(NamedTuple):
    """The least, the usual and the most tokens; nine of ten answers should be within."""

    low: float
    expected: float
    high: float

    def plus(self, other: "Span") -> "Span":
        return Span(*(mine + more for mine, more in zip(self, other, strict=True)))

    def times(self, factor: float) -> "Span":
        return Span(*(tokens * factor for tokens in self))

    def limited(self, limit: float) -> "Span":
        """Return these tokens under a limit, which only the low figure does not reach."""
        low = min(self.low, limit * EARLY_END)
        return Span(low, min(self.expected, limit), min(self.high, limit))


NOTHING = Span(0, 0, 0)


class Length(NamedTuple):
    """The length of an answer: ``tokens``, and ``share`` more for each token of the text.

    ``words`` name what is asked for, such as "one of 3 choices"; "" if the request does not say.
    ``longest`` is the number of tokens of a text beyond which an answer gets no longer.
    """

    words: str
    tokens: Span
    share: Span = NOTHING
    longest: int = 1_000_000


# Source: Zheng et al. 2023, LMSYS-Chat-1M, arXiv 2309.11998, table 1: 214.5 tokens a response on
# average, in a million chats.
# The ends are wide, because this is all that is known of a request that asks for no length.
UNSAID = Length("", Span(20, 215, 1_000))

# Whoever sets a limit below the usual length wants short answers, and leaves them some room.
ROOM = Span(0.1, 0.5, 1.0)
# However long answers usually are, some end well before the limit.
EARLY_END = 0.25


def unsaid(limit: int | None) -> Span:
    """Return the length of an answer that nothing but ``limit`` tells of."""
    if limit is None:
        return UNSAID.tokens
    return Span(
        *(min(usual, limit * room) for usual, room in zip(UNSAID.tokens, ROOM, strict=True))
    )

"""What the check says of the prompts that the requests of a file share."""

import msgspec

# The number of requests that start after the first one with the same prompt, beside which
# ``SharedPrompt.early`` counts: 1, 2, 4 … 128.
EARLY_WINDOWS = tuple(1 << power for power in range(8))


class SharedPrompt(msgspec.Struct):
    """The beginning that the prompts of several requests to one model share, to the letter.

    ``tokens`` are counted from the first block on, ``added`` are those behind the shorter shared
    prompt at ``parent``, an index in the list of its model; -1 if there is none. The first of the
    ``requests`` is the ``first``-th to its model, from 0, and ``early`` says for each of
    ``EARLY_WINDOWS`` how many are among so many requests from there on. ``marked`` has the
    requests with a marker at its end, by lifetime.

    ``alike`` is more than 1 if this stands for several prompts, of which the file has too many:
    ``requests`` and ``early`` are then those of all, the tokens are an average, and ``first`` is
    -1.
    """

    requests: int
    tokens: int
    added: int
    parent: int = -1
    early: list[int] = []
    marked: dict[str, int] = {}
    alike: int = 1
    first: int = -1


class PromptFacts(msgspec.Struct):
    """The shared prompts of the requests to one model, a shorter one before those it begins.

    ``is_partial`` if the file has more different prompts than the check keeps. ``marked`` counts
    the requests with a marker of the cache. ``unshared`` are the tokens that markers write and
    nothing reads, by lifetime, and ``unshared_requests`` the requests of them.
    """

    shared: list[SharedPrompt] = []
    is_partial: bool = False
    marked: int = 0
    unshared: dict[str, int] = {}
    unshared_requests: int = 0

    def short_marked(self, least_tokens: int) -> int:
        """Count the requests that mark prompts of less than ``least_tokens`` alone."""
        short = 0
        for index, prompt in enumerate(self.shared):
            if prompt.tokens < least_tokens:
                further = sum(sum(row.marked.values()) for row in self._next_marked(index))
                short += max(0, sum(prompt.marked.values()) - further)
        return short

    def _next_marked(self, index: int) -> list[SharedPrompt]:
        """Return the marked prompts that the prompt at ``index`` begins, the shortest of each."""
        rows: list[SharedPrompt] = []
        for number, row in enumerate(self.shared):
            if row.parent == index:
                rows += [row] if row.marked else self._next_marked(number)
        return rows

    @property
    def repeated_tokens(self) -> int:
        """Return the input tokens that an earlier request of the file has begun with already."""
        return sum(prompt.added * (prompt.requests - prompt.alike) for prompt in self.shared)

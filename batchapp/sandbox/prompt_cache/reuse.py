"""Which tokens of a request are read from the cache, and which are written to it."""

from bisect import insort
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from batchapp.sandbox.prompt_cache.markers import MarkedPrompt
from batchapp.sandbox.prompt_cache.tariffs import LIFETIMES


class CachedTokens(NamedTuple):
    """Tokens of one prompt that were read, and written for each lifetime."""

    read: int = 0
    written_5m: int = 0
    written_1h: int = 0
    written_24h: int = 0

    @property
    def written(self) -> int:
        return self.written_5m + self.written_1h + self.written_24h


class Use(NamedTuple):
    """A request that has written or read a prompt; others can read the prompt from its end on."""

    ends_at: float
    expires_at: float
    ttl: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Run:
    """When the model starts and ends one request, in Unix seconds."""

    start: float
    end: float


class CacheIndex:
    """The prompts that one account has marked for one model."""

    def __init__(self, uses: Iterable[tuple[str, Use]] = ()) -> None:
        self._uses: dict[str, list[Use]] = defaultdict(list)
        self.new_uses: dict[tuple[str, float], Use] = {}  # by digest and end
        for digest, use in uses:
            insort(self._uses[digest], use)

    def process(self, prompt: MarkedPrompt, run: Run, min_tokens: int) -> CachedTokens:
        """Record a request and return its tokens; requests come in the order of their starts.

        A prompt that is not at the end of a marked block is not kept. A request whose longest
        marked prompt is shorter than ``min_tokens`` does not use the cache.
        """
        position, digest, use = self._longest_match(prompt, run.start)
        last = prompt.breakpoints[-1]
        if position < last.position and last.tokens < min_tokens:
            return CachedTokens()
        read = 0
        if use is not None:
            read = use.tokens
            self._record(digest, run, use.ttl, use.tokens)
        written = dict.fromkeys(LIFETIMES, 0)
        end = read
        for mark in prompt.breakpoints:
            if mark.position > position:
                written[mark.ttl] += mark.tokens - end
                end = mark.tokens
                self._record(prompt.digests[mark.position - prompt.first], run, mark.ttl, end)
        return CachedTokens(read, written["5m"], written["1h"], written["24h"])

    def _longest_match(self, prompt: MarkedPrompt, moment: float) -> tuple[int, str, Use | None]:
        """Return the position, digest and use of the longest kept prompt, or position -1."""
        for position, digest in _longest_first(prompt):
            uses = self._uses.get(digest, ())
            # The latest use that has ended decides, also if an earlier one would last longer.
            use = next((use for use in reversed(uses) if use.ends_at <= moment), None)
            if use is not None and moment < use.expires_at:
                return position, digest, use
        return -1, "", None

    def _record(self, digest: str, run: Run, ttl: str, tokens: int) -> None:
        use = Use(run.end, run.start + LIFETIMES[ttl], ttl, tokens)
        # Of two requests that end together, the later one in the file decides.
        previous = self.new_uses.get((digest, run.end))
        if previous != use:
            if previous is not None:
                self._uses[digest].remove(previous)
            insort(self._uses[digest], use)
        self.new_uses[digest, run.end] = use


def _longest_first(prompt: MarkedPrompt) -> Iterator[tuple[int, str]]:
    candidates = {
        position: digest
        for mark in prompt.breakpoints
        for position, digest in prompt.prefixes(mark)
    }
    yield from sorted(candidates.items(), reverse=True)

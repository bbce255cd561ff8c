"""Choose the shared prompts that a marker saves money for, and say how often each is written."""

from collections.abc import Sequence

import msgspec

from batchapp.domain.prompt_cache.prompt_facts import SharedPrompt
from batchapp.domain.request_files.rules.cache_markers import MAX_MARKERS

# Requests of a model that the provider answers at once, where no batch has shown another number.
# Source: the server's default, control-layer 10.13.
USUAL_CONCURRENCY = 10
# Groups whose lines take turns, for each request that is answered at once. With more, the next
# line of a group might come after the lifetime; with fewer, its writers would follow each other
# where the provider answers more requests at once than assumed.
GROUPS_IN_TURN = 4


class MarkRule(msgspec.Struct, frozen=True):
    """The rule for the prompts of one model.

    A prompt of less than ``least_tokens`` is not cached. A marker saves money if a prompt has more
    than ``least_requests`` requests for each that writes it.
    """

    lifetime: str
    least_tokens: int
    least_requests: float


class Marking(msgspec.Struct, frozen=True):
    """The rules of the models whose prompts are marked, for so many requests at once."""

    rules: dict[str, MarkRule]
    concurrency: int = USUAL_CONCURRENCY


class ChosenPrompt(msgspec.Struct, frozen=True):
    """A prompt to mark; ``index`` is its place in the list, ``depth`` its number of markers.

    ``added`` are its tokens behind the chosen prompt that begins it. ``writers`` are the requests
    that will write it, of ``requests`` in all.
    """

    index: int
    added: int
    requests: int
    writers: float
    depth: int = 1


def choose_prompts(
    shared: Sequence[SharedPrompt], rule: MarkRule, concurrency: int
) -> list[ChosenPrompt]:
    """Choose prompts for a file in which the lines of the groups take turns."""
    chosen = {number for number, row in enumerate(shared) if row.tokens >= rule.least_tokens}
    while True:
        prompts = _describe(shared, chosen, concurrency)
        useless = {
            row.index
            for row in prompts
            if row.requests <= rule.least_requests * row.writers or row.depth > MAX_MARKERS
        }
        if not useless:
            return prompts
        chosen -= useless


def groups_in_turn(groups: int, concurrency: int) -> int:
    """Return the number of groups whose lines take turns at the same time."""
    return min(groups, GROUPS_IN_TURN * concurrency)


def _describe(
    shared: Sequence[SharedPrompt], chosen: set[int], concurrency: int
) -> list[ChosenPrompt]:
    parents: dict[int, int] = {}
    own = {number: shared[number].requests for number in chosen}  # requests of no longer prompt
    for number in sorted(chosen):
        parent = shared[number].parent
        while parent >= 0 and parent not in chosen:
            parent = shared[parent].parent
        parents[number] = parent
        if parent >= 0:
            own[parent] -= shared[number].requests
    groups = dict.fromkeys(chosen, 0)
    for number in sorted(chosen, reverse=True):
        groups[number] += shared[number].alike if own[number] > 0 else 0
        if parents[number] >= 0:
            groups[parents[number]] += groups[number]
    width = groups_in_turn(sum(groups[row] for row in chosen if parents[row] < 0), concurrency)
    prompts, depths = [], dict[int, int]()
    for number in sorted(chosen):
        row, parent = shared[number], parents[number]
        depths[number] = depths.get(parent, 0) + 1
        share = min(1.0, groups[number] / row.alike / width)
        writers = min(row.requests, row.alike * max(1.0, concurrency * share))
        added = row.tokens - (shared[parent].tokens if parent >= 0 else 0)
        prompts.append(ChosenPrompt(number, added, row.requests, writers, depths[number]))
    return prompts

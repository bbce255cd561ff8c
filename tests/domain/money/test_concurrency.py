"""How many requests are answered at once, as the written tokens of a finished batch show."""

from collections.abc import Sequence

import pytest

from batchapp.domain.money.concurrency import (
    CachedRun,
    Concurrency,
    learn_concurrency,
    requests_at_once,
)
from batchapp.domain.money.unit_prices import Usage
from batchapp.domain.prompt_cache.prompt_facts import PromptFacts, SharedPrompt

TOKENS = 2_000  # of each prompt


def run(
    writers: int,
    firsts: Sequence[int] = (0,),
    *,
    share: float = 1,
    facts: PromptFacts | None = None,
) -> CachedRun:
    """100 requests to each prompt; the provider counts ``share`` of the tokens of the check."""
    requests = 100 * len(firsts)
    shared = [
        SharedPrompt(100, TOKENS, TOKENS, marked={"5m": 100}, first=first) for first in firsts
    ]
    tokens = round(TOKENS * share)
    usage = Usage(
        requests,
        requests * (tokens + 100),
        requests,
        cached_tokens=tokens * (requests - writers),
        written_5m=tokens * writers,
    )
    return CachedRun(facts or PromptFacts(shared, marked=requests), usage, 1_024)


@pytest.mark.parametrize("share", [0.9, 1, 1.1])
@pytest.mark.parametrize("writers", [1, 12, 64])
def test_the_writers_of_one_prompt_are_the_requests_at_once(writers: int, share: float) -> None:
    assert requests_at_once(run(writers, share=share)) == writers


def test_groups_that_all_begin_among_the_first_requests_show_it_too() -> None:
    assert requests_at_once(run(12, firsts=(0, 1, 2))) == 12


@pytest.mark.parametrize(
    "unclear",
    [
        run(0),  # the prompt was in the cache before
        run(100),  # all wrote it: as many at once, or more, or it expired each time
        run(20, firsts=(0, 100)),  # 10 at once, twice
        run(20, firsts=range(20)),  # one for each prompt, or 20 at once
        run(12, share=0.5),  # half of the requests did not use the cache
        run(12, facts=PromptFacts(is_partial=True)),
        run(12, facts=PromptFacts([SharedPrompt(100, TOKENS, TOKENS, first=0)])),
        run(
            12,
            facts=PromptFacts(
                [SharedPrompt(100, TOKENS, TOKENS, marked={"5m": 100}, first=0)],
                marked=100,
                unshared={"5m": 9_000},
            ),
        ),
        run(
            12,
            facts=PromptFacts(
                [SharedPrompt(100, 1_000, 1_000, marked={"5m": 100}, first=0)], marked=100
            ),
        ),
    ],
)
def test_a_batch_that_may_mean_two_numbers_shows_none(unclear: CachedRun) -> None:
    assert requests_at_once(unclear) is None


def test_the_median_of_the_batches_counts_and_its_basis_is_said() -> None:
    learnt = learn_concurrency([run(12), run(0), run(3), run(12)])

    assert learnt == Concurrency(12, batches=3)
    assert learnt.basis == "from 3 of your batches: 12 at once"
    assert learn_concurrency([run(0)]).basis == "10 at once assumed"

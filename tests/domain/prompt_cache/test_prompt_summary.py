"""The shared prompts of a report: nested, summed up, and none lost."""

import random

from batchapp.domain.prompt_cache import prompt_summary
from tests.domain.prompt_cache.prompts import facts, request, text


def test_many_groups_are_summed_up_without_losing_a_request():
    lines = [request(10 * g + n, f"Rules of {g}", f"{n}") for g in range(200) for n in range(3)]

    row = facts(*lines)

    assert len(row.shared) < 70
    assert sum(shared.requests for shared in row.shared) == 600
    assert sum(shared.alike for shared in row.shared) == 200


def test_a_conversation_has_the_same_groups_as_a_plain_count(monkeypatch):
    monkeypatch.setattr(prompt_summary, "MAX_SHARED", 1_000)
    draw = random.Random(7)
    turns = [[text(f"{level}{n}", 3) for n in range(3)] for level in range(4)]
    rows = [[draw.choice(level) for level in turns] for _ in range(300)]
    lines = [request(n, *row, f"Question {n}") for n, row in enumerate(rows)]

    counts: dict[tuple[str, ...], int] = {}
    for row in rows:
        for length in range(1, 5):
            counts[tuple(row[:length])] = counts.get(tuple(row[:length]), 0) + 1
    longer = {
        key: max((n for k, n in counts.items() if k[:-1] == key), default=0) for key in counts
    }
    expected = [count for key, count in counts.items() if count > max(1, longer[key])]

    assert sorted(row.requests for row in facts(*lines).shared) == sorted(expected)

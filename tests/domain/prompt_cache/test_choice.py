from batchapp.domain.prompt_cache.choice import MarkRule, choose_prompts, groups_in_turn
from batchapp.domain.prompt_cache.prompt_facts import SharedPrompt

RULE = MarkRule("5m", 1_024, 1.28)


def chosen(*shared: SharedPrompt, concurrency: int = 10) -> list[tuple[int, int, float]]:
    prompts = choose_prompts(shared, RULE, concurrency)
    return [(row.index, row.added, row.writers) for row in prompts]


def test_all_requests_that_start_at_once_write_a_prompt_of_the_whole_file():
    assert chosen(SharedPrompt(200, 2_000, 2_000)) == [(0, 2_000, 10)]
    assert chosen(SharedPrompt(200, 2_000, 2_000), concurrency=100) == [(0, 2_000, 100)]


def test_a_prompt_that_is_short_or_of_few_requests_is_not_chosen():
    assert chosen(SharedPrompt(200, 1_023, 1_023)) == []
    assert chosen(SharedPrompt(12, 2_000, 2_000)) == []


def test_groups_that_take_turns_share_the_writers():
    groups = [SharedPrompt(10, 2_000, 2_000) for _ in range(5)]

    assert chosen(*groups) == [(index, 2_000, 2) for index in range(5)]


def test_a_longer_prompt_is_counted_behind_the_shorter_one():
    rules = SharedPrompt(60, 2_000, 2_000)
    documents = [SharedPrompt(30, 3_000, 1_000, parent=0) for _ in range(2)]

    assert chosen(rules, *documents) == [(0, 2_000, 10), (1, 1_000, 5), (2, 1_000, 5)]


def test_tokens_of_a_prompt_that_is_too_short_belong_to_the_longer_one():
    rules, document = SharedPrompt(60, 500, 500), SharedPrompt(50, 3_000, 2_500, parent=0)

    assert chosen(rules, document) == [(1, 3_000, 10)]


def test_at_most_four_prompts_of_a_request_are_chosen():
    rows = [SharedPrompt(900 - n, 2_000 * n + 2_000, 2_000, parent=n - 1) for n in range(6)]

    assert [index for index, _, _ in chosen(*rows)] == [0, 1, 2, 3]


def test_several_prompts_summed_up_are_each_written_at_least_once():
    assert chosen(SharedPrompt(400, 2_000, 2_000, alike=100)) == [(0, 2_000, 100)]


def test_so_many_groups_take_turns_that_writers_never_follow_each_other():
    assert groups_in_turn(7, 10) == 7
    assert groups_in_turn(500, 10) == 40

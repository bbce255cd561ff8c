from batchapp.domain.prompt_cache.prompt_facts import PromptFacts, SharedPrompt


def test_the_tokens_of_a_longer_prompt_are_counted_once():
    rules = SharedPrompt(requests=10, tokens=100, added=100)
    document = SharedPrompt(requests=4, tokens=150, added=50, parent=0)

    assert PromptFacts([rules, document]).repeated_tokens == 9 * 100 + 3 * 50


def test_the_first_request_of_each_of_many_prompts_repeats_nothing():
    prompts = SharedPrompt(requests=30, tokens=100, added=100, alike=10)

    assert PromptFacts([prompts]).repeated_tokens == 20 * 100


def test_a_request_that_also_marks_a_longer_prompt_is_not_short():
    rules = SharedPrompt(10, 100, 100, marked={"5m": 10})
    part = SharedPrompt(8, 500, 400, parent=0)
    document = SharedPrompt(4, 2_000, 1_500, parent=1, marked={"5m": 4})

    assert PromptFacts([rules, part, document]).short_marked(1_024) == 6
    assert PromptFacts([rules, part, document]).short_marked(50) == 0

from batchapp.presenters.shared_prompt_text import shared_sentences
from tests.domain.request_lines import check_bytes, make_body, make_file, make_line

MODEL = "Qwen/Qwen3-14B-FP8"


def sentences(*systems: str, models: tuple[str, ...] = (MODEL,)) -> list[str]:
    lines = []
    for number, system in enumerate(systems):
        messages = [
            {"role": "system", "content": system},
            {"role": "user", "content": f"Question {number % 10}"},
        ]
        body = make_body(model=models[number % len(models)], messages=messages)
        lines.append(make_line(custom_id=f"r-{number}", body=body))
    return list(shared_sentences(check_bytes(make_file(*lines))))


def test_a_prompt_of_all_requests_is_said_by_its_share():
    rules = "word " * 99 + "word"

    assert sentences(*[rules] * 10) == [
        "100 of 116 input tokens are the same in every request.",
    ]


def test_groups_are_said_by_the_sum_of_what_they_repeat():
    (sentence,) = sentences(*["word " * 100, "text " * 100] * 5)

    assert sentence.endswith(
        "input tokens repeat how an earlier request begins; 2 prompts are shared."
    )


def test_each_of_several_models_is_named():
    said = sentences(*["Rules"] * 4, models=("a", "b"))

    assert [sentence.partition(":")[0] for sentence in said] == ["a", "b"]


def test_nothing_is_said_of_requests_that_share_nothing():
    assert sentences("one", "two") == []

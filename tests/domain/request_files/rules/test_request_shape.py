import json

import pytest

from batchapp.domain.request_files import check_file
from batchapp.domain.request_files.check_file import Limits
from batchapp.domain.request_files.rules.request_shape import MAX_SHAPES_PER_MODEL, hash_shape
from batchapp.domain.tokens.plain_texts import find_texts

CHAT = "/v1/chat/completions"
BODY = {
    "model": "m",
    "max_tokens": 100,
    "messages": [
        {"role": "system", "content": "Answer in one word."},
        {"role": "user", "content": "What is it?"},
    ],
}


def with_system(text: str) -> dict[str, object]:
    return BODY | {"messages": [{"role": "system", "content": text}, BODY["messages"][1]]}


def check_facts(*bodies: dict[str, object], url: str = CHAT) -> check_file.ModelFacts:
    lines = [
        json.dumps({"custom_id": f"id {number}", "method": "POST", "url": url, "body": body})
        for number, body in enumerate(bodies)
    ]
    report = check_file.check(["\n".join(lines).encode()], Limits(max_bytes=10**8))
    assert report.is_valid
    return report.models["m"]


def test_another_question_has_the_same_shape():
    other = BODY | {"messages": [BODY["messages"][0], {"role": "user", "content": "Why?"}]}

    assert hash_shape(BODY, CHAT) == hash_shape(other, CHAT)
    assert hash_shape(BODY, CHAT) == hash_shape(BODY | {"model": "n", "temperature": 0.2}, CHAT)


@pytest.mark.parametrize(
    "changed",
    [
        with_system("Answer at length."),
        BODY | {"max_tokens": 101},
        BODY | {"n": 2},
        BODY | {"response_format": {"type": "json_object"}},
        BODY | {"tools": [{"type": "function", "function": {"name": "look"}}]},
        BODY | {"reasoning_effort": "high"},
        BODY | {"messages": BODY["messages"][1:]},
    ],
)
def test_a_field_that_forms_the_answer_makes_another_shape(changed: dict[str, object]):
    assert hash_shape(BODY, CHAT) != hash_shape(changed, CHAT)


def test_a_shape_is_hashed_as_those_of_earlier_batches_were():
    parts = [{"type": "text", "text": "Be brief."}]
    first = [
        {"role": "system", "content": 'Say "it\'s" so.\n\ud83d'},
        {"role": "developer", "content": parts},
    ]
    body = BODY | {"tools": [{"type": "function"}], "messages": [*first, BODY["messages"][1]]}

    assert hash_shape(body, CHAT) == "108e328596cbc261"


def test_half_a_character_has_a_shape_too():
    assert hash_shape(with_system("\ud83d"), CHAT) != hash_shape(with_system("\ud83e"), CHAT)


@pytest.mark.parametrize("role", [["user"], {}, [], None, 1])
@pytest.mark.parametrize("model", ["m", "Qwen/Qwen3-14B-FP8"])
def test_a_role_of_any_type_does_not_stop_the_check(model: str, role: object):
    messages = [{"role": "system", "content": "x"}, {"role": role, "content": "x"}]
    body = {"model": model, "messages": messages}
    line = {"custom_id": "a", "method": "POST", "url": CHAT, "body": body}

    report = check_file.check([json.dumps(line).encode()], Limits(max_bytes=10**8))

    assert report.requests == 1
    assert find_texts(body, CHAT) == []


def test_a_file_has_the_shape_that_most_of_its_requests_have():
    others = [with_system(f"Answer {number}.") for number in range(2)]

    assert check_facts(BODY, *others, BODY, BODY).shape == hash_shape(BODY, CHAT)
    assert not check_facts(BODY, *others, BODY).shape


def test_a_file_of_as_many_shapes_as_requests_has_none():
    bodies = [with_system(f"Answer {number}.") for number in range(3 * MAX_SHAPES_PER_MODEL)]

    assert not check_facts(*bodies).shape


def test_embeddings_have_no_shape():
    assert not check_facts({"model": "m", "input": "text"}, url="/v1/embeddings").shape

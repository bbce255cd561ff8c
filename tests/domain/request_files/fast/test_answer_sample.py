from typing import Any

from batchapp.domain.request_files.fast.answer_sample import MAX_KINDS, READ_EVERY, AnswerSample

CHAT = "/v1/chat/completions"
YES_NO, SENTENCES = "Is it late? Answer yes or no.", "Is it late? Answer in two sentences."


def words(sample: AnswerSample, system: str, question: str = "Hi") -> str:
    body: dict[str, Any] = {"messages": [{"role": "user", "content": question}]}
    length, _ = sample.read_length(system, body, CHAT)
    return length.words


def test_other_questions_to_the_same_instructions_are_read_from_time_to_time():
    sample = AnswerSample()

    read = [words(sample, "", YES_NO if number < 3 else SENTENCES) for number in range(200)]

    assert read == ["yes or no"] * (READ_EVERY - 1) + ["2 sentences"] * (201 - READ_EVERY)


def test_what_instructions_of_their_own_ask_for_is_read_of_the_first_ones():
    sample = AnswerSample()

    read = [words(sample, f"Answer in {number + 10} words.") for number in range(MAX_KINDS + 200)]

    assert read[:MAX_KINDS] == [f"{number + 10} words" for number in range(MAX_KINDS)]
    assert len({*read[MAX_KINDS:]}) == 4

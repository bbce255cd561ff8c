import pytest

from batchapp.domain.answer_lengths.tasks import read_task


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Translate into German.", "a translation"),
        ("Übersetze den Text.", "a translation"),
        ("Fix the spelling of this text", "the text in other words"),
        ("Summarise the text, without a list.", "a summary"),
        ("Give this article a title.", "a title"),
        ("Respond only with the category.", "a label"),
        ("Answer from this text: why?", "an answer from the text"),
        ("Reply with a short email.", "a letter"),
        ("Solve it step by step.", "an answer step by step"),
    ],
)
def test_a_task_has_a_usual_length(text, words):
    assert read_task(text).words == words


def test_a_question_sets_no_task():
    assert read_task("What is the capital of France?") is None

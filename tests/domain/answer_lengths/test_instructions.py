import pytest

from batchapp.domain.answer_lengths.instructions import read_exact


@pytest.mark.parametrize(
    ("text", "words", "least", "most"),
    [
        ("Answer yes or no.", "yes or no", 1, 3),
        ("Bitte mit ja oder nein antworten.", "yes or no", 1, 3),
        ("Is it spam? true or false, and explain why.", "yes or no, with reasons", 20, 80),
        ("Reply with one word.", "one word", 1, 3),
        ("Summarise this in one sentence.", "1 sentence", 15, 35),
        ("Fasse den Text in zwei Sätzen zusammen.", "2 sentences", 30, 60),
        ("Explain in two or three short sentences.", "2 to 3 sentences", 40, 80),
        ("In at most 100 words", "100 words", 80, 140),
        ("In 50-80 words, describe it", "50 to 80 words", 50, 110),
        ("Write a one-paragraph summary", "1 paragraph", 60, 120),
        ("Keep it under 280 characters.", "280 characters", 40, 80),
        ("Write 3 key bullet points", "3 points", 40, 90),
        ("Answer with 1-3 tags", "1 to 3 keywords", 4, 12),
        ("Rate it from 1 to 5", "a number", 1, 3),
        ("Answer with one of: low, medium, high", "one of 3 choices", 1, 3),
        ('Return JSON with the keys "name" and "age"', "JSON with 2 fields", 15, 45),
    ],
)
def test_a_length_is_read_from_the_words_that_name_it(text, words, least, most):
    length = read_exact(text)

    assert length.words == words
    assert least <= length.tokens.expected <= most
    assert length.tokens.low <= length.tokens.expected <= length.tokens.high


@pytest.mark.parametrize(
    "text",
    [
        "",
        "What is the capital of France?",
        "You are a helpful assistant.",
        "In 0 words",
        "In 99999 words",
        "Tell me about a good word processor",
        "I paid either too much or I was cheated, and there is nobody who would answer my mails.",
    ],
)
def test_no_length_is_read_where_none_is_named(text):
    assert read_exact(text) is None


def test_a_long_text_is_read_in_no_time():
    for text in ("one " * 500, "either " * 300, "a, " * 600, "(" * 2_000, "1 2 " * 500 + "words"):
        read_exact(text)

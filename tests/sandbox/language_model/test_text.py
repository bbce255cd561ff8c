"""Answers as texts: what the request asks for, from its own text."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchapp.sandbox.language_model.conversation import Conversation
from batchapp.sandbox.language_model.text import generate_text
from batchapp.sandbox.seeded_random import SeededRandom
from tests.sandbox.api_client import CHAT_MODEL

MUSEUM = (
    "The museum reopened on 12 March 2024 after a renovation that cost $4,500,000. Its director,"
    " Ada Lovelace, said that 1,200 people came on the first day. The new wing shows paintings"
    " from Delft. Tickets cost 14 euros. The old cafe is closed, and a new one will open in May."
    " The city of Leiden paid half of the costs. There are plans for a second building beside the"
    " river, and the architects have shown a model of it to the council and to the neighbours."
)


def answer(prompt: str, system: str = "") -> str:
    conversation = Conversation(system=system, prompt=prompt)
    return generate_text(conversation, CHAT_MODEL, SeededRandom(prompt))


@pytest.mark.parametrize(
    ("instruction", "text", "label"),
    [
        ("Is the sentiment positive, negative or neutral?", "Awful service.", "negative"),
        ("Which label fits this text: positive, neutral or negative?", "I love it!", "positive"),
        ("Answer yes or no: is this about money?", "Pay by card.", {"yes", "no"}),
        ("Say whether this is true/false.", "Water is dry.", {"true", "false"}),
        ("Categories:\n- billing: money\n- technical: bugs\n- other", "It crashed.", "technical"),
        ("Categories:\n1. billing\n2. technical\n3. other", "What a fine day.", "other"),
        (
            "Answer with one of: feature, bug fix, security.",
            "Fix a crash in the shell.",
            "bug fix",
        ),
        ("Answer with one of: feature, bug fix, security.", "Add a new function.", "feature"),
        ("What is the sentiment? One word.", "It is broken, terrible.", "negative"),
        ("In which language is this text?", "Das ist nicht der Hund und die Katze.", "German"),
        ("How many people came? Answer with a number.", MUSEUM, "1200"),
        ("Extract the date of the opening.", MUSEUM, "2024-03-12"),
        ("Extract the email address.", "Write to ada@example.org, please.", "ada@example.org"),
    ],
)
@pytest.mark.parametrize("order", ["before", "after", "system"])
def test_a_short_answer_is_what_the_instruction_asks_for(instruction, text, label, order):
    if order == "system":
        given_answer = answer(text, system=instruction)
    else:
        parts = (instruction, text) if order == "before" else (text, instruction)
        given_answer = answer("\n\n".join(parts))

    assert given_answer in (label if isinstance(label, set) else {label})


def test_one_word_is_one_word():
    assert len(answer(f"Describe this in one word.\n\n{MUSEUM}").split()) == 1


@pytest.mark.parametrize("low_and_high", [(1, 5), (0, 10), (1, 100)])
def test_a_rating_is_on_its_scale_and_follows_the_mood(low_and_high):
    low, high = low_and_high
    instruction = f"Rate from {low} to {high} how happy the writer is."

    happy = int(answer(f"{instruction}\n\nExcellent, I love it, thank you."))
    angry = int(answer(f"{instruction}\n\nTerrible, it never worked, I hate it."))

    assert low <= angry < (low + high) / 2 < happy <= high


def test_a_summary_is_a_part_of_the_text_of_40_to_120_tokens():
    for number in range(20):
        text = answer(f"{MUSEUM}\n\nSummarise this text, please ({number}).")

        assert text in MUSEUM
        assert 60 <= len(text) <= 480
    two = answer(f"{MUSEUM}\n\nSummarise this text in at most two sentences.")
    assert two.count(". ") == 1
    assert len(answer(f"Summarise in 9 words:\n\n{MUSEUM}").split()) == 9


def test_a_title_is_the_beginning_of_the_text():
    title = "The museum reopened on 12 March 2024 after a"

    assert answer(MUSEUM, "Write a title for the text.") == title
    assert answer(f"Suggest a short headline:\n\n{MUSEUM}") == title


def test_a_translation_is_as_long_as_its_text():
    text = answer(f"{MUSEUM}\n\nTranslate this text into French.")

    assert text == f"[French] {MUSEUM}"


def test_a_question_is_answered_from_the_text_or_not_at_all():
    system = "Answer from the text alone. If it does not say, answer: not in the text."

    known = answer(f"{MUSEUM}\n\nAnswer from this text: Who is the director?", system)
    unknown = answer(f"{MUSEUM}\n\nAnswer from this text: What eats a penguin?", system)

    assert known.startswith("Its director, Ada Lovelace")
    assert unknown == "not in the text"


def test_a_list_has_several_words_of_the_text():
    lines = answer(f"List the keywords of this text: {MUSEUM}").splitlines()

    assert 3 <= len(lines) <= 6
    assert all(line.startswith("- ") and line[2:] in MUSEUM for line in lines)


def test_other_requests_get_some_sentences_about_their_subject():
    short, long = answer("Why do kites fly?"), answer("Write an article about kites")

    assert "“kites fly”" in short
    assert "“kites”" in long
    assert 200 < len(short) < len(long) < 1500


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    instruction=st.sampled_from(
        (
            *(
                "Summarise:",
                "Translate into German.",
                "Extract the date.",
                "How many?",
                "One word.",
            ),
            *(
                "List keywords:",
                "Rate from 1 to 5.",
                "One of: a, b.",
                "Answer: not there.",
                "0 words",
            ),
        )
    ),
    text=st.text(max_size=200) | st.from_regex(r"[\d.,/:$ -]{0,60}", fullmatch=True),
)
def test_no_text_breaks_an_answer(instruction, text):
    assert isinstance(json.dumps(answer(f"{instruction}\n\n{text}")), str)
    assert isinstance(answer(f"{text} {instruction}"), str)

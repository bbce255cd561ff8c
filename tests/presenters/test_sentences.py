"""Sentences are made in presenters: what rows, services and the pipeline keep is facts."""

import ast
import re
from collections.abc import Iterator

import pytest
from django.apps import apps
from django.db import models

from batchapp.presenters.sentences import make_sentence, named, split_cause
from tests.presenters.facts_in_code import modules

FACTS_ONLY = ("models/", "services/", "pipeline/", "tasks.py", "access.py")
# Where sentences are allowed all the same.
WITH_SENTENCES = {
    "models/providers/price.py": "validation, which Django shows beside the fields of a form",
    "pipeline/states.py": "the labels and next steps of the only list of states",
    "services/mail/outbox.py": "the e-mail that tests the mail server",
    "services/results/exports/xlsx.py": "the notes of a workbook, which people read in the file",
    "services/prices/price_lists.py": "the reasons of bad lines, which are shown and not stored",
}
TEXT_COLUMNS = {
    "auditevent.names": "names of people and things, in lower case",
    "cacheentry.value": "what Django keeps in the cache",
    "connection.platform_ciphertext": "encrypted",
    "outgoingattachment.content": "a table for a program",
    "outgoingemail.sealed_text": "encrypted",
    "providerkey.ciphertext": "encrypted",
    "providerkey.webhook_ciphertext": "encrypted",
    "webhookendpoint.sealed_address": "bytes that are encrypted",
    "webhookendpoint.sealed_old_secret": "bytes that are encrypted",
    "webhookendpoint.sealed_secret": "bytes that are encrypted",
    "webhookattempt.answer": "the words of the receiver",
    "webhookmessage.body": "the message as it is sent",
    "result.error_message": "the provider's own words, or the first mismatch with a schema",
}
# Words of libraries, which give no other sign of what is wrong.
WORDS_OF_LIBRARIES = {"Extra data", "field larger"}

SENTENCE = re.compile(r"(?s)\w+,? \w+,? \w+.*[a-z)”}]\.(?:\s|$)")
SOME_WORDS = re.compile(r"[A-Za-z]{2,} [A-Za-z]{2,}")


@pytest.mark.parametrize(
    ("names", "text"),
    [([], ""), (["a", "b", "c"], "a, b, c"), (["a", "b", "c", "d", "e"], "a, b, c, 2 more")],
)
def test_a_long_list_of_names_is_counted(names: list[str], text: str) -> None:
    assert named(names) == text


@pytest.mark.parametrize(
    ("text", "cause", "rest"),
    [
        ("No credits left. Add some. Try again.", "No credits left.", "Add some. Try again."),
        (
            "No answer (HTTP 500. Sorry. (b. c)). Wait.",
            "No answer (HTTP 500. Sorry. (b. c)).",
            "Wait.",
        ),
        ("No room.", "No room.", ""),
    ],
)
def test_a_cause_is_the_first_sentence(text: str, cause: str, rest: str) -> None:
    assert split_cause(text) == (cause, rest)


def texts(tree: ast.AST) -> Iterator[str]:
    """Yield the texts of ``tree`` with {} for values, without docstrings, help texts and logs."""
    left_out = set()
    for node in ast.walk(tree):
        is_log = isinstance(node, ast.Call) and ast.unparse(node.func).startswith("logger.")
        is_help = isinstance(node, ast.keyword) and node.arg == "help_text"
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if is_log or is_help or is_docstring:
            left_out.update(map(id, ast.walk(node)))
        if isinstance(node, ast.JoinedStr):
            left_out.update(map(id, node.values))
    for node in ast.walk(tree):
        if id(node) in left_out:
            continue
        if isinstance(node, ast.JoinedStr):
            parts = [
                part.value if isinstance(part, ast.Constant) else "{}" for part in node.values
            ]
            yield "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def compared_texts(tree: ast.AST) -> Iterator[str]:
    """Yield the constants of two words or more that ``tree`` compares a text with."""
    for node in ast.walk(tree):
        parts: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            is_test = node.func.attr in {"startswith", "endswith", "removeprefix", "removesuffix"}
            parts = node.args if is_test else []
        for part in parts:
            for constant in ast.walk(part):
                value = constant.value if isinstance(constant, ast.Constant) else None
                if isinstance(value, str) and SOME_WORDS.search(value):
                    yield value


def test_services_models_and_the_pipeline_make_no_sentence() -> None:
    found = {
        path: [text for text in texts(tree) if SENTENCE.search(text)]
        for path, tree in modules().items()
        if path.startswith(FACTS_ONLY) and path not in WITH_SENTENCES
    }

    assert {path: sentences for path, sentences in found.items() if sentences} == {}


def test_the_modules_with_sentences_have_some() -> None:
    for path in WITH_SENTENCES:
        assert any(SENTENCE.search(text) for text in texts(modules()[path])), path


def test_no_code_compares_a_text_for_people() -> None:
    compared = {text for tree in modules().values() for text in compared_texts(tree)}

    assert compared == WORDS_OF_LIBRARIES


def test_no_column_holds_a_sentence_of_ours() -> None:
    columns = {
        f"{model._meta.model_name}.{field.name}"
        for model in apps.get_app_config("batchapp").get_models()
        for field in model._meta.get_fields()
        if isinstance(field, models.TextField)
    }

    assert columns == set(TEXT_COLUMNS)


@pytest.mark.parametrize(
    ("source", "is_noticed"),
    [
        ('f"{connection} has no room for it."', True),
        ('Problem("The file is too large. Split it.")', True),
        ('logger.info("It was lost during a step.")', False),
        ('"""Return nothing at all."""', False),
        ('"%-d %B %Y, %H:%M"', False),
    ],
)
def test_a_sentence_in_the_code_is_noticed(source: str, *, is_noticed: bool) -> None:
    assert any(SENTENCE.search(text) for text in texts(ast.parse(source))) is is_noticed


@pytest.mark.parametrize(
    "source", ['text == "not ours"', '"is over" in text', 'text.startswith("Asked to")']
)
def test_a_comparison_with_a_sentence_is_noticed(source: str) -> None:
    assert list(compared_texts(ast.parse(source)))


def test_a_template_writes_numbers_with_their_nouns_and_lists_with_commas() -> None:
    sentences = {"a": "{n:count window}, {m:count entry,entries}: {windows}; {big:,}"}
    data = {"n": 1, "m": 1_200, "windows": ["1h", "24h"], "big": 1_000}

    assert make_sentence(sentences, "a", data) == "1 window, 1,200 entries: 1h, 24h; 1,000"


def test_a_fact_with_braces_is_not_read_as_a_template() -> None:
    assert make_sentence({"a": "{said}"}, "a", {"said": "{secret}"}) == "{secret}"


def test_a_sentence_without_its_fact_raises() -> None:
    with pytest.raises(KeyError):
        make_sentence({"a": "{said}"}, "a", {})

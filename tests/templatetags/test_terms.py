"""The hints explain the words of the glossary, and each is a popover of its word."""

import re

import pytest
from django.template import Context, Template
from django.urls import reverse

from batchapp.templatetags.terms import TERMS, term
from tests.variables import ROOT

GLOSSARY = (ROOT / "docs/glossary.md").read_text()
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))

# Words of the field that the glossary of the portal does not define.
NOT_OURS = {"JSONL": "the name of a format", "tokens": "in the glossary: input and output tokens"}


def test_every_term_is_a_word_of_the_glossary():
    words = set(re.findall(r"\*\*([^*]+)\*\*", GLOSSARY))

    assert set(TERMS) - words == set(NOT_OURS)


@pytest.mark.parametrize("word", TERMS)
def test_a_hint_is_a_sentence_or_two_and_says_the_word_on_the_page(word: str):
    hint = TERMS[word]

    assert 1 <= len(re.findall(r"[.](?: |$)", hint)) <= 2
    assert hint.endswith(".")
    assert len(hint) <= 140


def test_a_term_is_a_button_that_its_hint_describes():
    html = term("completion window", "Completion windows")

    assert html.startswith('<button type="button" class="term" popovertarget="term-completion-')
    assert 'aria-describedby="term-completion-window"' in html
    assert ">Completion windows</button>" in html
    assert 'id="term-completion-window" popover>How long the provider may take.' in html


def test_an_unknown_term_is_noticed():
    with pytest.raises(KeyError):
        Template('{% term "deadline" %}').render(Context())


def test_pages_use_terms_that_there_are():
    used = {
        word for path in TEMPLATES for word in re.findall(r'{% term "([^"]+)"', path.read_text())
    }

    assert len(used) >= 8
    assert used <= set(TERMS)


@pytest.mark.django_db
@pytest.mark.usefixtures("user")
def test_the_list_of_terms_is_open_to_all(client):
    html = client.get(reverse("guide_terms")).content.decode()

    assert [word for word in TERMS if f">{word}</dt>" not in html] == []

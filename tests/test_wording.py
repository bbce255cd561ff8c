"""One word for one thing: the word of the glossary, and no other."""

import ast
import functools
import pkgutil
import re
import subprocess
from collections.abc import Iterator
from enum import Enum
from html import unescape
from importlib import import_module
from inspect import isclass
from pathlib import Path

import pytest
from django.apps import apps

import batchapp
from tests.documents import table_rows
from tests.variables import ROOT

TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
GLOSSARY = (ROOT / "docs/glossary.md").read_text()
ARTICLES = r"\b(?:an?|the|this|your|each|every|no|its)\s+"

# What other products say -> what we say.
OTHER_NAMES = {
    "job": "batch",
    "dataset": "file",
    "upload": "file",  # a noun; the verb is fine
    "workspace": "project",
    "team": "project",
    "credential": "provider key",
    "token key": "provider key",
    "SLA": "completion window",
    "deadline": "completion window",
    "endpoint key": "provider key",
    "vendor": "provider",
    "response": "answer",
    "spend": "cost",
}

# What the portal itself said before -> what it says now. Underscores and hyphens end a word.
OLD_WORDS = {
    r"rooms|errands?|setbacks?|hearing|landing|steering": "the step, by its verb",
    r"strays?|set aside": "unmatched line",
    r"twins?": "duplicate",
    r"wish(?:es|ed)?": "request",
    r"adopt(?:s|ed|ing|ion)?|(?:bring|brings|bringing|brought) in": "import",
    r"stretch(?:es)?": "span, page",
    r"verdicts?|judge[sd]?|judging|faults?": "finding, outcome, trouble",
    r"repairs?|repaired|remed(?:y|ies)|cures?|cured": "correction",
    r"contacting|kin": "circuit breaker, related",
    r"reopen(?:s|ed|ing)?": "retry in place",
    r"ledgers?": "results",
}
# A file, or a folder with all in it -> words that mean something else there.
ALLOWED = {
    "batchapp/data/samples": {"fault", "set aside"},  # texts of others
    "batchapp/static/batchapp/css": {"stretch"},  # a value in CSS
    # The sandbox makes faults on purpose, such as reopen and late-landing, and has a ledger.
    "batchapp/sandbox": {"fault", "landing", "ledger", "reopen", "reopened", "reopens"},
    "docs/sandbox.md": {"fault", "landing", "ledger", "reopen"},
    "docs/reliability.md": {"fault", "landing", "ledger", "reopen"},
    "docs/decisions/0006-sandbox-as-part-of-the-product.md": {"fault", "ledger"},
}


def shown(template: str) -> str:
    """Return what a reader may see of a template: neither tags nor markup nor what they hold."""
    text = re.sub(r"{#.*?#}|{%.*?%}|{{.*?}}", " ", template, flags=re.DOTALL)
    labels = re.findall(r'(?:aria-label|title|placeholder|alt)="([^"]*)"', text)
    return unescape(" ".join([re.sub(r"<[^>]*>", " ", text), *labels]))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_calls_things_by_the_name_the_glossary_gives_them(path: Path) -> None:
    text = " ".join(shown(path.read_text()).split())
    if path.name == "styleguide.html":
        text = text.replace("response", "")

    wrong = [
        f"{other} (say {ours})"
        for other, ours in OTHER_NAMES.items()
        if re.search(rf"{ARTICLES}{other}s?\b", text, re.IGNORECASE)
    ]

    assert wrong == []


@functools.cache
def names_in_code() -> frozenset[str]:
    """Return modules, models with fields, classes beside them, and values of enums."""
    modules = [info.name for info in pkgutil.walk_packages(batchapp.__path__, "batchapp.")]
    models = list(apps.get_app_config("batchapp").get_models())
    classes = [*models, *(each for model in models for each in vars(model).values())]
    for module in modules:
        if module.startswith(("batchapp.domain.", "batchapp.models.")):
            classes += vars(import_module(module)).values()
    names = {module.rpartition(".")[2] for module in modules}
    names |= {
        f"{model.__name__}.{field.name}" for model in models for field in model._meta.get_fields()
    }
    for each in classes:
        if isclass(each) and each.__module__.startswith("batchapp."):
            names.add(each.__qualname__)
            if issubclass(each, Enum):
                names |= {f"{each.__qualname__}.{value}" for value in each.__members__}
    return frozenset(names)


@functools.cache
def read_by_people() -> str:
    """Return the texts of templates, and every text in the code that is not documentation."""
    texts = [shown(path.read_text()) for path in TEMPLATES]
    for path in (ROOT / "batchapp").rglob("*.py"):
        if not {"sandbox", "tokens", "migrations"} & set(path.relative_to(ROOT).parts):
            texts += _literals(ast.parse(path.read_text()))
    return " ".join(" ".join(texts).split()).lower()


def _literals(tree: ast.AST) -> Iterator[str]:
    """Yield the strings of ``tree`` without docstrings."""
    notes = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in notes:
                yield text


def invented(glossary: str) -> list[str]:
    """Return the words that no person reads, and the names that are not in the code."""
    problems = []
    for words, names, _ in table_rows(glossary):
        terms = re.findall(r"\*\*([^*]+)\*\*", words)
        unread = [
            term
            for term in terms
            if not re.search(rf"\b{re.escape(term.lower())}s?\b", read_by_people())
        ]
        named = re.findall(r"`([^`]+)`", names)
        problems += [f"nobody reads the word {term}" for term in unread]
        problems += [f"no name in code for {words}"] * (not named)
        problems += [f"{name} is not in the code" for name in named if name not in names_in_code()]
    return problems


def test_every_word_of_the_glossary_is_read_by_people_and_has_a_name_in_the_code() -> None:
    assert len(table_rows(GLOSSARY)) > 40
    assert invented(GLOSSARY) == []


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("| **cat** | `Cat` | an animal. |", "nobody reads the word cat"),
        ("| **cat** | `cat` | an animal. |", "cat is not in the code"),
        ("| **batch** | `Batch.cat` | an animal. |", "Batch.cat is not in the code"),
        ("| **batch** | `Bat` | an animal. |", "Bat is not in the code"),
        ("| **batch** | | an animal. |", "no name in code for **batch**"),
    ],
)
def test_an_invented_word_or_name_is_noticed(row: str, problem: str) -> None:
    header = "| Word | In code | What it is |\n|---|---|---|\n"

    assert problem in invented(header + row)


def old_words(text: str, allowed: set[str]) -> set[str]:
    """Return the words of ``text`` that were given up, each with its successor."""
    return {
        f"{word} (say {ours})"
        for theirs, ours in OLD_WORDS.items()
        for word in map(
            str.lower, re.findall(rf"(?<![a-z])(?:{theirs})(?![a-z])", text, re.IGNORECASE)
        )
        if not {word, word.rstrip("s")} & allowed
    }


def tracked_texts() -> Iterator[tuple[str, str]]:
    """Return name and content of every text file of the package, the templates and the docs."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others",
         "--exclude-standard", "batchapp", "templates", "docs", "README.md", "CONTRIBUTING.md",
         "SECURITY.md"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        data = path.read_bytes() if path.is_file() else b"\0"
        if b"\0" not in data:
            yield name, data.decode()


def test_words_that_were_given_up_are_nowhere() -> None:
    files = list(tracked_texts())
    found = {}
    for name, text in files:
        allowed = [words for place, words in ALLOWED.items() if name.startswith(place)]
        text_without_links = re.sub(r"\]\([^)]*\)|\btest_\w+", "", text)
        if words := old_words(text_without_links, set().union(*allowed)):
            found[name] = sorted(words)

    assert len(files) > 300
    assert found == {}


def test_what_the_user_guide_writes_in_bold_type_is_read_on_a_page() -> None:
    text = "".join(path.read_text() for path in (ROOT / "docs/guide").glob("[a-z]*.md"))
    names = {" ".join(name.split()) for name in re.findall(r"\*\*([^*]+)\*\*", text)}

    assert len(names) > 30
    assert {name for name in names if name.lower() not in read_by_people()} == set()


def test_an_old_word_is_noticed_also_within_a_name_but_not_within_a_word() -> None:
    say = "(say unmatched line)"

    assert old_words('tab="strays" id="get-stray"', set()) == {f"strays {say}", f"stray {say}"}
    assert old_words("MAX_TWINS of Default", set()) == {"twins (say duplicate)"}
    assert old_words("A fault of the sandbox, and faults", {"fault"}) == set()
    assert old_words("astray, default, wishbone, bathrooms", set()) == set()

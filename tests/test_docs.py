"""The documents name only what exists, and leave out nothing that they promise to list."""

import ast
import functools
import re

import pytest
from django.core.management import get_commands

from batchapp.management import processes
from batchapp.presenters import guide
from batchapp.sandbox.faults.kinds import KINDS
from tests.documents import (
    DOCUMENTS,
    defined_names,
    headings,
    linked_name,
    links,
    section,
    table_rows,
)
from tests.variables import ROOT, read_by_code

LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
RECIPES = sorted((ROOT / "docs/contributing").glob("[a-z]*.md"))
DECISIONS = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))
FOR_DEVELOPERS = [ROOT / "docs/architecture.md", ROOT / "CONTRIBUTING.md", *RECIPES]
FILE_NAME = r"[\w-]+\.(py|html|md|toml|yml|svg)"
PARTS_OF_A_DECISION = ["Context", "Decision", "Consequences", "Rejected"]

every_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT))
)


def code_in(text: str) -> str:
    """Return only what a document shows as code."""
    return "\n".join(re.findall(r"```.*?```|`[^`\n]+`|\n    [^\n]+", text, re.DOTALL))


def test_the_settings_table_names_what_the_code_reads():
    table = re.findall(r"^\| `(\w+)` \|", section(ROOT / "README.md", "Settings"), re.MULTILINE)

    assert len(set(table)) == len(table)
    assert set(table) == read_by_code()


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ("run", "batchapp/management/commands/run.py"),
        ("preflight", "batchapp/presenters/preflight_report.py"),
    ],
)
def test_the_readme_names_every_key_of_the_json_that_a_command_prints(command, path):
    text = section(ROOT / "README.md", "From scripts and cron")
    printed = re.search(rf"manage\.py {command} .*?one JSON object:(.*?)\. ", text, re.DOTALL)
    module = ast.parse((ROOT / path).read_text())
    dicts = [node for node in ast.walk(module) if isinstance(node, ast.Dict)]
    keys = [{key.value for key in node.keys if isinstance(key, ast.Constant)} for node in dicts]
    first = next(names for names in keys if "requests" in names and len(names) > 5)

    assert printed
    assert set(re.findall(r"`(\w+)`", printed[1])) == first | next(
        (names for names in keys if "output_path" in names), set()
    )


@every_document
def test_a_document_names_only_verbs_commands_and_processes_that_exist(document):
    code = code_in(document.read_text())
    verbs = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    names = {process.name for process in processes.read_procfile(ROOT / "Procfile")}

    assert set(re.findall(r"(?:^|[`\s])make ([a-z]+)", code)) <= verbs
    assert set(re.findall(r"manage\.py ([a-z]\w*)", code)) <= set(get_commands())
    assert set(re.findall(r"manage\.py serve ([a-z]\w*)", code)) <= names


@every_document
def test_a_document_links_only_to_files_and_headings_that_exist(document):
    missing = [
        link
        for link in links(document)
        if not link.path.exists() or (link.anchor and link.anchor not in headings(link.path))
    ]

    assert missing == []


@every_document
def test_a_function_that_a_document_links_to_is_in_that_file(document):
    missing = [
        f"{link.path.relative_to(ROOT)}: {name}"
        for link in links(document)
        if (name := linked_name(link))
        and link.path.exists()
        and name not in defined_names(link.path)
    ]

    assert missing == []


@functools.cache
def words_of_the_code():
    """Return every word of the code, the templates, the tests and the project files."""
    folders = ["batchapp", "config", "templates", "tests"]
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    texts = [path.read_text() for path in paths if path.suffix in {".py", ".html"}]
    files = ["Makefile", "Procfile", "pyproject.toml", "docker-compose.yml"]
    return set(re.findall(r"\w+", "\n".join([*texts, *((ROOT / f).read_text() for f in files)])))


@pytest.mark.parametrize("document", FOR_DEVELOPERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_and_paths_in_a_document_for_developers_exist(document):
    code = re.findall(r"`([^`\n]+)`", document.read_text())
    names = [
        text
        for text in code
        if re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", text)
        and not re.fullmatch(FILE_NAME, text)
    ]
    paths = [text for text in code if re.fullmatch(r"[\w-]+(/[\w.-]+)+/?", text)]

    assert {name for name in names if not set(name.split(".")) <= words_of_the_code()} == set()
    assert [
        path
        for path in paths
        if not any(
            (ROOT / root / path).exists() for root in ("", "batchapp", "templates/batchapp")
        )
    ] == []


def test_a_link_to_a_function_that_is_not_there_is_noticed():
    [link] = links(ROOT / "README.md", "[`tock`](batchapp/tasks.py)")

    assert linked_name(link) == "tock"
    assert "tock" not in defined_names(link.path)
    assert {"tick", "MODELS"} <= defined_names(link.path)


def test_every_recipe_and_every_decision_is_in_its_index():
    for folder, files in (("contributing", RECIPES), ("decisions", DECISIONS)):
        linked = {link.path for link in links(ROOT / f"docs/{folder}/README.md")}
        assert len(files) > 5
        assert set(files) <= linked


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_is_short_and_has_its_parts(decision):
    lines = decision.read_text().splitlines()

    assert len(lines) < 60
    assert lines[0].startswith(f"# {decision.name[:4]}: ")
    assert [line[3:] for line in lines if line.startswith("## ")] == PARTS_OF_A_DECISION


def test_every_section_of_how_it_works_names_its_tests():
    document = ROOT / "docs/how-it-works.md"
    titles = re.findall(r"^## (.+)$", document.read_text(), re.MULTILINE)
    rows = table_rows(section(document, "Tests"))

    assert [title for title, _ in rows] == [title for title in titles if title != "Tests"]
    for _, cell in rows:
        assert [linked_name(link)[:5] for link in links(document, cell)].count("test_") >= 2


def test_every_section_of_the_user_guide_names_its_tests():
    index = ROOT / "docs/guide/README.md"
    rows = table_rows(index.read_text())
    sections = [
        (f"[{name}]({name}.md)", title)
        for name in guide.NAMES
        for title in re.findall(r"^## (.+)$", (index.parent / f"{name}.md").read_text(), re.M)
    ]

    assert [(article, title) for article, title, _ in rows] == sections
    for *_, cell in rows:
        assert any(linked_name(link).startswith("test_") for link in links(index, cell))


def test_every_fault_of_the_sandbox_is_explained():
    text = (ROOT / "docs/sandbox.md").read_text()

    assert len(KINDS) > 30
    assert [name for name in KINDS if f"`{name}" not in text] == []


def test_every_verb_of_the_makefile_is_explained():
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)

    assert phony
    assert set(re.findall(r"^([a-z]+):[^#\n]*# \w", makefile, re.MULTILINE)) == set(
        phony[1].split()
    )


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_pin_has_a_hash_and_no_index(lock):
    text = lock.read_text()
    pins = re.findall(
        r"^(\S+?)==\S+.*\n((?:    --hash=sha256:[0-9a-f]{64}.*\n)+)", text, re.MULTILINE
    )

    assert "://" not in text
    assert len(pins) > 20
    assert len(pins) == len(re.findall(r"^[^\s#]", text, re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_requirement_is_pinned(lock):
    required = re.findall(r"^([a-z][\w.-]*)", lock.with_suffix(".in").read_text(), re.MULTILINE)
    pinned = re.findall(r"^([a-z][\w.-]*)==", lock.read_text(), re.MULTILINE)

    assert set(required) <= set(pinned)

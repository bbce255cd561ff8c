"""What the documents say is so, and nothing in the repository belongs to one machine."""

import re
import subprocess

import pytest
from django.core.management import get_commands

from batchapp.management import processes
from batchapp.sandbox.faults.kinds import KINDS
from tests.variables import ROOT, read_by_code

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))

# Put together here, so that this file does not name them either.
REGISTRIES = [
    ".".join(provider_batches)
    for provider_batches in [
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("debian", "org"),
        ("crates", "io"),
        ("golang", "org"),
        ("maven", "org"),
        ("jsdelivr", "net"),
        ("unpkg", "com"),
    ]
]
MACHINE_PATHS = ["/".join(["", name, ""]) for name in ("work", "root")]


def _code(text: str) -> str:
    """Only what a document shows as code."""
    return "\n".join(re.findall(r"```.*?```|`[^`\n]+`|\n    [^\n]+", text, re.DOTALL))


def _settings_table() -> list[str]:
    section = (
        (ROOT / "README.md").read_text().partition("\n## Settings\n")[2].partition("\n## ")[0]
    )
    return re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)


def test_the_settings_table_names_what_the_code_reads():
    table = _settings_table()

    assert len(set(table)) == len(table)
    assert set(table) == read_by_code()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_names_only_verbs_commands_and_processes_that_exist(document):
    code = _code(document.read_text())
    verbs = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    known = {process.name for process in processes.declared(ROOT / "Procfile")}

    assert set(re.findall(r"(?:^|[`\s])make ([a-z]+)", code)) <= verbs
    assert set(re.findall(r"manage\.py ([a-z]\w*)", code)) <= set(get_commands())
    assert set(re.findall(r"manage\.py serve ([a-z]\w*)", code)) <= known


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_links_only_to_files_that_exist(document):
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", document.read_text())

    assert [link for link in links if not (document.parent / link).exists()] == []


def test_every_fault_of_the_sandbox_is_explained():
    text = (ROOT / "docs/sandbox.md").read_text()

    assert len(KINDS) > 30
    assert [name for name in KINDS if f"`{name}" not in text] == []


def test_every_verb_of_the_makefile_is_explained():
    prompt_settings_list = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", prompt_settings_list, re.MULTILINE)

    assert phony
    assert set(re.findall(r"^([a-z]+):[^#\n]*# \w", prompt_settings_list, re.MULTILINE)) == set(
        phony[1].split()
    )


@pytest.fixture(scope="module")
def tracked():
    """Every file of the repository that is text."""
    kinds = ["--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", *kinds],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = [ROOT / name for name in listed.split("\0") if name]
    contents = {path: path.read_bytes() for path in paths if path.is_file()}
    return {path: data.decode() for path, data in contents.items() if b"\0" not in data}


@pytest.mark.parametrize("banned", REGISTRIES + MACHINE_PATHS)
def test_no_file_names_a_package_registry_or_a_place_on_one_machine(tracked, banned):
    assert len(tracked) > 100
    assert [str(path) for path, text in tracked.items() if banned in text] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_pin_has_a_hash_and_no_place(lock):
    text = lock.read_text()
    pins = re.findall(
        r"^(\S+?)==\S+.*\n((?:    --hash=sha256:[0-9a-f]{64}.*\n)+)", text, re.MULTILINE
    )

    assert "://" not in text
    assert len(pins) > 20
    assert len(pins) == len(re.findall(r"^[^\s#]", text, re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_requirement_is_pinned(lock):
    wanted = re.findall(r"^([a-z][\w.-]*)", lock.with_suffix(".in").read_text(), re.MULTILINE)
    pinned = re.findall(r"^([a-z][\w.-]*)==", lock.read_text(), re.MULTILINE)

    assert set(wanted) <= set(pinned)

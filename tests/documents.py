"""The documents of the repository, and the names in the code that they link to."""

import ast
import functools
import re
from pathlib import Path
from typing import NamedTuple

from tests.variables import ROOT

DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "batchapp/data/samples/README.md",
]
LINK = re.compile(r"\[([^\]]+)\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
NAME = re.compile(r"`?([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)`?")


class Link(NamedTuple):
    text: str
    path: Path
    anchor: str


def links(document: Path, text: str = "") -> list[Link]:
    """Return the links of ``document`` to files of the repository, or those of ``text`` in it."""
    return [
        Link(label, document if not target else (document.parent / target).resolve(), anchor)
        for label, target, anchor in LINK.findall(text or document.read_text())
    ]


def linked_name(link: Link) -> str:
    """Return the name that ``link`` promises in a Python file; "" if its text is no such name."""
    match = NAME.fullmatch(link.text)
    is_name = match and link.path.suffix == ".py" and match[1] != link.path.name
    is_code = link.text.startswith("`") or link.text.startswith("test_")
    return match[1] if match and is_name and is_code else ""


@functools.cache
def defined_names(path: Path) -> frozenset[str]:
    """Return what a Python file defines: ``name`` of any function, class or constant in it.

    Members of a class are also there as ``Class.name``.
    """
    names: set[str] = set()

    def collect(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    names.update({name, prefix + name})
                case ast.ClassDef(name=name, body=members):
                    names.update({name, prefix + name})
                    collect(members, f"{name}.")
                case ast.Assign(targets=targets):
                    assigned = {each.id for each in targets if isinstance(each, ast.Name)}
                    names.update(assigned | {prefix + name for name in assigned})
                case ast.AnnAssign(target=ast.Name(id=name)):
                    names.update({name, prefix + name})

    collect(ast.parse(path.read_text()).body, "")
    return frozenset(names)


def headings(document: Path) -> set[str]:
    """Return the anchors of the headings of ``document``, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def section(document: Path, title: str) -> str:
    """Return the text below the heading ``title``, up to the next one of its level or above."""
    lines = document.read_text().splitlines()
    start = next(n for n, line in enumerate(lines) if line.lstrip("#").strip() == title)
    level = len(lines[start]) - len(lines[start].lstrip("#"))
    end = next(
        (
            n
            for n, line in enumerate(lines[start + 1 :], start + 1)
            if re.match(rf"#{{1,{level}}} ", line)
        ),
        len(lines),
    )
    return "\n".join(lines[start + 1 : end])


def table_rows(text: str) -> list[list[str]]:
    """Return the cells of each row of the tables in ``text``, without their headers."""
    rows = [line.strip().strip("|").split("|") for line in text.splitlines() if line[:1] == "|"]
    cells = [[cell.strip() for cell in row] for row in rows]
    rules = {
        n for n, row in enumerate(cells) if all(re.fullmatch(r":?-+:?", cell) for cell in row)
    }
    return [row for n, row in enumerate(cells) if n not in rules and n + 1 not in rules]

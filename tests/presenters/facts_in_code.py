"""The calls in the source of the portal that name a code, with the names of their data."""

import ast
from collections.abc import Iterator
from functools import cache

from tests.variables import ROOT

PACKAGE = ROOT / "batchapp"


@cache
def modules() -> dict[str, ast.Module]:
    """Return the syntax trees of the portal by path, without the sandbox and migrations."""
    paths = [
        path
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).parts[0] not in {"sandbox", "migrations"}
    ]
    return {str(path.relative_to(PACKAGE)): ast.parse(path.read_text()) for path in paths}


def nodes(*, outside: str = "") -> Iterator[ast.AST]:
    """Yield the nodes of all modules, but for those below the folder ``outside``."""
    for path, tree in modules().items():
        if not outside or not path.startswith(f"{outside}/"):
            yield from ast.walk(tree)


def members_used(enum: str, *, outside: str = "presenters") -> set[str]:
    """Return the members of ``enum`` that the code names."""
    return {
        node.attr
        for node in nodes(outside=outside)
        if isinstance(node, ast.Attribute) and _last_name(node.value) == enum
    }


def calls(function: str) -> Iterator[ast.Call]:
    """Yield the calls of a function of this name."""
    for node in nodes():
        if isinstance(node, ast.Call) and _last_name(node.func) == function:
            yield node


def _last_name(node: ast.expr) -> str:
    """Return ``c`` of ``a.b.c``, and "" of what has no name."""
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""

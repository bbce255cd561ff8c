"""Which environment variables the code reads, found by reading the code."""

import ast
import functools
import re
from inspect import isfunction
from pathlib import Path

from config import env

ROOT = Path(__file__).resolve().parent.parent
READERS = {name for name, value in vars(env).items() if isfunction(value)}


@functools.cache
def read_by_code() -> frozenset[str]:
    """Every name given to a reader of `config.env`, and every one the Procfile expands."""
    sources = [*(ROOT / "config").glob("*.py"), *(ROOT / "batchapp").rglob("*.py")]
    return frozenset(name for path in sources for name in _read_by(path)) | read_by_procfile()


def read_by_procfile() -> set[str]:
    return set(re.findall(r"\$\{(\w+)", (ROOT / "Procfile").read_text()))


def _read_by(path: Path) -> set[str]:
    """The literal names in ``env.text("NAME", …)`` and the like; any other name is refused."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="env"), attr=reader), args=[name, *_]
            ) if reader in READERS:
                assert isinstance(name, ast.Constant), f"{path}:{node.lineno}: not a literal"
                names.add(str(name.value))
    return names

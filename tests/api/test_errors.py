"""The table of errors in the guide has every code that the API gives."""

import ast
import re
from collections.abc import Iterator

from batchapp.api import errors
from batchapp.api.portal_api import REFUSED
from batchapp.domain.refused import Refusal
from batchapp.presenters import guide
from config import wsgi_bridge
from tests.documents import section, table_rows
from tests.variables import ROOT

# The function that makes an error -> the position of its code among the arguments.
MAKERS = {"ApiError": 1, "error_response": 1, "unauthorized": 1, "not_found": 1, "invalid": 2}
CODE = re.compile(r"[a-z]+(_[a-z]+)*")


def codes_in(tree: ast.AST) -> Iterator[str]:
    """Find the texts that stand where a code stands in a call, or in a tuple after a status."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name), args=arguments) if name in MAKERS:
                given = arguments[MAKERS[name] : MAKERS[name] + 1]
            case ast.Tuple(elts=[ast.Constant(value=int()), code, _]):
                given = [code]
            case _:
                continue
        for code in given:
            choices = [code.body, code.orelse] if isinstance(code, ast.IfExp) else [code]
            texts = [each.value for each in choices if isinstance(each, ast.Constant)]
            yield from (text for text in texts if CODE.fullmatch(str(text)))


def test_the_guide_has_every_code_of_an_error():
    files = sorted((ROOT / "batchapp/api").glob("*.py"))
    found = {code for file in files for code in codes_in(ast.parse(file.read_text()))}
    found |= {code for code, _ in errors.KNOWN.values()} | {code.value for code in REFUSED}
    found |= {code for code, _ in wsgi_bridge.REFUSALS.values()}
    rows = table_rows(section(guide.FOLDER / "scripts.md", "When it is refused"))

    told = [code for _, codes, _ in rows for code in re.findall(r"`(\w+)`", codes)]

    assert len(found) > 30
    assert found - set(told) == set()
    assert set(told) - found - set(Refusal) == set()
    assert len(told) == len(set(told))

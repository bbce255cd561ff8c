"""The architecture that docs/architecture.md shows is the one in the code."""

import re
import tomllib
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from django.apps import apps

from batchapp import access
from batchapp.models import Batch, LeasedRow, Upload
from batchapp.providers import kinds
from tests import kind_document, role_document
from tests.documents import links, section, table_rows
from tests.make import OWNER
from tests.state_document import ARCHITECTURE, STATES, documents
from tests.variables import ROOT

PICTURE = ROOT / "docs/pictures/architecture.svg"
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
LAYERS = [
    [name.strip().removeprefix("batchapp.") for name in layer.split("|")]
    for layer in CONTRACTS["contracts"][0]["layers"]
]
PACKAGES = [name for layer in LAYERS for name in layer]


@pytest.mark.parametrize("document", [STATES, ARCHITECTURE], ids=lambda path: path.name)
def test_the_documents_say_of_states_what_the_list_of_states_says(document: Path) -> None:
    assert documents()[document] == document.read_text(), "run make states"


def test_a_change_in_the_document_of_states_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(Upload.TRANSITIONS, Upload.Status.FAILED, set())
    monkeypatch.setitem(Batch.TRANSITIONS, Batch.Status.FAILED, set())

    for document, text in documents().items():
        assert text != document.read_text()


def test_the_page_of_roles_says_what_access_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    assert role_document.role_document() == role_document.PAGE.read_text(), "run make states"

    monkeypatch.setattr(access, "WRITERS", frozenset({OWNER}))
    assert role_document.role_document() != role_document.PAGE.read_text()


def test_the_page_of_kinds_says_what_each_kind_offers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kind_document.kind_document() == kind_document.PAGE.read_text(), "run make states"
    assert not kind_document.undocumented()

    monkeypatch.delitem(kinds.KINDS, "groq")
    assert kind_document.kind_document() != kind_document.PAGE.read_text()


@pytest.mark.parametrize("model", LeasedRow.__subclasses__(), ids=lambda model: model.__name__)
def test_every_transition_and_no_other_is_in_the_document_of_states(
    model: type[LeasedRow],
) -> None:
    text = section(STATES, model.__name__)
    coded = {
        (str(old), str(new)) for old, following in model.TRANSITIONS.items() for new in following
    }
    drawn = set(re.findall(r"^    (\w+) --> (\w+)$", text, re.MULTILINE))
    cells = [row for row in table_rows(text) if row[-1][0] in "`\N{EN DASH}"]
    listed = {(row[0].strip("`"), new) for row in cells for new in re.findall(r"`(\w+)`", row[-1])}

    assert drawn == coded
    assert listed == coded


def test_every_package_is_in_the_table_of_layers_in_the_order_of_the_contract() -> None:
    table = [re.findall(r"`(\w+)`", row[0]) for row in table_rows(section(ARCHITECTURE, "Layers"))]
    names = [name for row in table for name in row]
    ranks = [next((n for n, layer in enumerate(LAYERS) if name in layer), 99) for name in names]

    assert sorted(names) == sorted([*PACKAGES, "sandbox"])
    assert ranks == sorted(ranks)


def test_the_document_stays_short_and_the_way_of_a_batch_links_to_its_functions() -> None:
    way = section(ARCHITECTURE, "The way of a batch")
    steps = re.split(r"^\d+\. ", way.partition("Beside this way")[0], flags=re.MULTILINE)[1:]

    assert len(ARCHITECTURE.read_text().splitlines()) < 200
    assert len(steps) == 9
    assert [step[:40] for step in steps if not links(ARCHITECTURE, step)] == []


def texts(kind: str) -> list[tuple[float, str]]:
    """Return height and text of what the picture writes in one style."""
    tree = ElementTree.fromstring(PICTURE.read_text())
    found = [element for element in tree.iter() if element.get("class") == kind]
    return [(float(element.get("y", 0)), element.text or "") for element in found]


def test_the_picture_has_the_layers_of_the_contract_one_below_the_other() -> None:
    heights = {name: height for height, name in texts("package")}

    assert sorted(heights) == sorted(PACKAGES)
    for above, below in pairwise(LAYERS):
        assert max(heights[name] for name in above) < min(heights[name] for name in below)


def test_what_the_picture_names_is_in_the_code() -> None:
    services = " · ".join(text for _, text in texts("note small"))
    folders = {path.parent.name for path in Path(ROOT / "batchapp/services").glob("*/__init__.py")}

    assert set(services.split(" · ")) == folders
    assert len(texts("code")) == 6
    assert len(texts("model")) == 6
    for _, name in texts("code"):
        module, _, member = f"batchapp.{name}".rpartition(".")
        assert hasattr(import_module(module), member) or import_module(f"{module}.{member}")
    for _, name in texts("model"):
        assert apps.get_model("batchapp", name).__name__ == name


def test_the_picture_can_be_read_in_light_and_dark_without_its_colours() -> None:
    source = PICTURE.read_text()

    assert "prefers-color-scheme: dark" in source
    assert re.search(r"<title id=.*<desc id=", source, re.DOTALL)
    assert "<script" not in source
    assert "<image" not in source

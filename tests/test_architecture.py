"""The architecture that docs/architecture.md shows is the one in the code."""

import re
import tomllib
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from django.apps import apps

from batchapp.models.fields.leased_row import LeasedRow
from tests.documents import links, section, table_rows
from tests.variables import ROOT

DOCUMENT = ROOT / "docs/architecture.md"
PICTURE = ROOT / "docs/pictures/architecture.svg"
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
LAYERS = [
    [name.strip().removeprefix("batchapp.") for name in layer.split("|")]
    for layer in CONTRACTS["contracts"][0]["layers"]
]
PACKAGES = [name for layer in LAYERS for name in layer]
MODELS = sorted(LeasedRow.__subclasses__(), key=lambda model: model.__name__)

Transitions = dict[str, set[str]]


def documented_states(text: str) -> Transitions:
    """Return state -> the states that may follow, as a table with three columns says it."""
    rows = table_rows(text)
    return {
        state.strip("`"): set(re.findall(r"`(\w+)`", following)) for state, _, following in rows
    }


def coded_states(model: type[LeasedRow]) -> Transitions:
    states = model._meta.get_field("status").choices or ()
    return {
        str(state): {str(following) for following in model.TRANSITIONS.get(state, set())}
        for state, _ in states
    }


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_the_states_and_transitions_are_those_of_the_model(model: type[LeasedRow]) -> None:
    assert documented_states(section(DOCUMENT, model.__name__)) == coded_states(model)


def test_every_model_with_states_has_a_table() -> None:
    titles = re.findall(r"^### (\w+)$", section(DOCUMENT, "States"), re.MULTILINE)

    assert sorted(titles) == [model.__name__ for model in MODELS]


def test_a_transition_that_is_left_out_is_noticed() -> None:
    model = apps.get_model("batchapp", "Upload")
    text = section(DOCUMENT, "Upload")

    assert documented_states(text.replace("`ready`, `faulty`", "`faulty`")) != coded_states(model)


def test_every_package_is_in_the_table_of_layers_in_the_order_of_the_contract() -> None:
    table = [re.findall(r"`(\w+)`", row[0]) for row in table_rows(section(DOCUMENT, "Layers"))]
    names = [name for row in table for name in row]
    ranks = [next((n for n, layer in enumerate(LAYERS) if name in layer), 99) for name in names]

    assert sorted(names) == sorted([*PACKAGES, "sandbox"])
    assert ranks == sorted(ranks)


def test_the_document_stays_short_and_the_way_of_a_batch_links_to_its_functions() -> None:
    way = section(DOCUMENT, "The way of a batch")
    steps = re.split(r"^\d+\. ", way.partition("Beside this way")[0], flags=re.MULTILINE)[1:]

    assert len(DOCUMENT.read_text().splitlines()) < 200
    assert len(steps) == 9
    assert [step[:40] for step in steps if not links(DOCUMENT, step)] == []


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
    services = next(text for _, text in texts("note") if " · " in text)
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

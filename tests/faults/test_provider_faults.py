"""What the document on reliability says was tested is what is tested."""

import re

from tests.faults.orders import Mix
from tests.faults.provider_faults import FAULTS, KINDS
from tests.variables import ROOT

DOCUMENT = (ROOT / "docs/reliability.md").read_text()


def section(title: str) -> str:
    return DOCUMENT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_the_document_names_the_faults_of_a_storm_and_no_others() -> None:
    named = set(re.findall(r"`([a-z0-9-]+)`", section("Under which faults")))

    assert named == KINDS


def test_every_test_that_the_document_names_exists() -> None:
    named = re.findall(r"\[`?(test_\w+)`?\]\(\.\./(tests/[\w/]+\.py)\)", DOCUMENT)

    assert len(named) > 8
    assert [test for test, file in named if f"def {test}(" not in (ROOT / file).read_text()] == []


def test_the_file_of_an_imported_batch_is_whole_at_some_time() -> None:
    mix = Mix(seed=107, requests=(1, 1), faults=FAULTS)
    orders = [mix.order(number) for number in range(300)]

    imported = {order.key for order in orders if order.shape == "imported"}
    assert imported
    assert not any("repeat" in key for key in imported)
    assert any("repeat" in order.key for order in orders)

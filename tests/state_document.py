"""Write what the documents say of states, from the list of states: ``make states``."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.variables import ROOT

if __name__ == "__main__":  # tests have loaded the settings already
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()

from batchapp.models import Batch, LeasedRow, ProviderBatch
from batchapp.pipeline.states import BATCH_STATES, PARKED_MEANINGS, ROW_STATES

STATES = ROOT / "docs/states.md"
ARCHITECTURE = ROOT / "docs/architecture.md"
BEGIN, END = "<!-- written by make states: begin -->", "<!-- written by make states: end -->"

INTRODUCTION = """\
# States

`make states` writes this page from the list of states in
[`states.py`](../batchapp/pipeline/states.py) and from `TRANSITIONS` of the models. The
[architecture](architecture.md#the-row-is-the-truth) says how a row is moved, and the
[recipe](contributing/state.md) how to add a state.

## Rows that workers move
"""
PARKED = """\
A provider batch that is not over can also be parked: it keeps its state, uses no slot unless it
runs at the provider, and no worker moves it until a person decides. `parked_reason` says why:
"""
BATCHES = """\
## A batch as people see it

This follows from the batch and its provider batches, and each batch is in exactly one of these
states. The address filters the list of batches.
"""
NONE = "\N{EN DASH}"


def state_document() -> str:
    """Return the text of docs/states.md."""
    rows = "\n".join(_section(model) for model in ROW_STATES)
    return f"{INTRODUCTION}\n{rows}\n{BATCHES}\n{_batch_table()}\n"


def architecture_with_diagrams() -> str:
    """Return the text of docs/architecture.md with the diagrams of today."""
    diagrams = "\n\n".join(
        f"{model.__name__}:\n\n{diagram(model)}" for model in (Batch, ProviderBatch)
    )
    block = f"{BEGIN}\n{diagrams}\n{END}"
    text = ARCHITECTURE.read_text()
    return re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: block, text, flags=re.DOTALL)


def documents() -> dict[Path, str]:
    return {STATES: state_document(), ARCHITECTURE: architecture_with_diagrams()}


def diagram(model: type[LeasedRow]) -> str:
    """Return the states of ``model`` and what may follow, as a diagram that GitHub draws."""
    lines = [f"[*] --> {model._meta.get_field('status').get_default()}"]
    for status in ROW_STATES[model]:
        lines += [f"{status} --> {following}" for following in _following(model, status)]
    indented = "".join(f"    {line}\n" for line in lines)
    return f"```mermaid\nstateDiagram-v2\n{indented}```"


def _following(model: type[LeasedRow], status: str) -> list[str]:
    return [
        str(other) for other in ROW_STATES[model] if other in model.TRANSITIONS.get(status, ())
    ]


def _section(model: type[LeasedRow]) -> str:
    text = f"### {model.__name__}\n\n{diagram(model)}\n\n{_table(_row_cells(model))}\n"
    if model is ProviderBatch:
        parked = [[f"`{reason}`", meaning] for reason, meaning in PARKED_MEANINGS.items()]
        text += f"\n{PARKED}\n{_table([['Reason', 'Meaning'], *parked])}\n"
    return text


def _row_cells(model: type[LeasedRow]) -> Iterator[list[str]]:
    """Yield the header and a row for each state; only provider batches use slots."""
    has_slots = model is ProviderBatch
    slot = ["Uses a slot"] if has_slots else []
    yield ["State", "Meaning", "Waits for", *slot, "May become"]
    for status, state in ROW_STATES[model].items():
        following = ", ".join(f"`{other}`" for other in _following(model, status)) or NONE
        slot = [state.holds_slot] if has_slots else []
        yield [f"`{status}`", state.meaning, state.waits_for, *slot, following]


def _batch_table() -> str:
    rows = [
        [state.label, state.next_step, state.waits_for, f"`?status={state.code}`"]
        for state in BATCH_STATES
    ]
    return _table([["State", "What happens next", "Waits for", "Address"], *rows])


def _table(rows: Iterable[list[str]]) -> str:
    header, *body = (f"| {' | '.join(cells)} |" for cells in rows)
    rule = f"|{'---|' * (header.count('|') - 1)}"
    return "\n".join([header, rule, *body])


if __name__ == "__main__":
    for path, text in documents().items():
        path.write_text(text)

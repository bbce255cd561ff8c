"""Write docs/kinds.md from the capabilities in ``providers``; ``make states`` runs this.

``tests/test_architecture.py`` fails if the page is out of date.
"""

from dataclasses import fields

from batchapp.providers import kinds
from batchapp.providers.base import Capabilities
from tests.variables import ROOT

PAGE = ROOT / "docs/kinds.md"
YES, NO = "yes", "\N{EN DASH}"

INTRODUCTION = """\
# Kinds of providers

`make states` writes this page from the [`Capabilities`](../batchapp/providers/base.py) of each
kind in [`KINDS`](../batchapp/providers/kinds.py). The kind of a connection is known by its
address, found out when a key is tested, or chosen; what it offers decides what the portal does. Of
a provider whose kind is not known, only the last column is assumed.
[Add a provider](contributing/provider.md) says how a kind is added.
"""
# Each capability -> what it lets the portal do, or makes it do.
EFFECTS = {
    "partial_results": "Answers are read while a batch runs",
    "retry_in_place": "Failed requests of a batch that is over can run again in it",
    "pause": "Pause and Resume are offered",
    "list": "One list polls all batches of a key, and finds a batch whose create had no reply",
    "list_filters": "Lists are searched, with unfinished batches first",
    "analytics": "The billed cost is fetched after the end",
    "tariffs": "A platform key is told prices, models and the balance",
    "webhooks": "A webhook can tell of the end of a batch",
    "idempotency": "A create whose reply was lost is repeated at once, and not searched for",
    "one_model_per_file": "A file of several models is divided by model",
    "enqueued_limits": "A batch that failed for want of room is sent again",
    "windows": "Completion windows of a new connection of which the kind is known",
    "endpoints": "Endpoints that requests may name; without any, the usual five",
    "cache_markers": "Markers of cached prompts are read and priced",
    "reasoning_effort_only": "Of the fields for reasoning, only `reasoning_effort` may be set",
}


def kind_document() -> str:
    """Return the text of docs/kinds.md."""
    listed = [*kinds.KINDS.values(), kinds.UNKNOWN]
    header = ["Capability", "What it means here", *(kind.label for kind in listed)]
    rows = [
        [f"`{name}`", effect, *(_cell(_offered(kind, name)) for kind in listed)]
        for name, effect in EFFECTS.items()
    ]
    rows.append(
        ["Addresses", "By which the kind is known", *(_cell(kind.hosts) for kind in listed)]
    )
    lines = [header, ["---", "---", *[":-:"] * len(listed)], *rows]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return f"{INTRODUCTION}\n{table}\n"


def undocumented() -> set[str]:
    """Return the capabilities that the page leaves out."""
    return {field.name for field in fields(Capabilities)} - EFFECTS.keys()


def _offered(kind: kinds.Kind, name: str) -> object:
    # Without a kind, the windows stay those that a person entered, or the default.
    return () if kind is kinds.UNKNOWN and name == "windows" else getattr(kind.capabilities, name)


def _cell(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(f"`{text}`" for text in value) or NO
    return YES if value else NO


if __name__ == "__main__":
    PAGE.write_text(kind_document())

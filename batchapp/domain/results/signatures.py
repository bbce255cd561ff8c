"""Recognise messages that differ only in ids, numbers, addresses and quoted parts."""

import re

MAX_LENGTH = 300  # characters of a signature
GAP = "…"

# A word with a digit is an id, a number, a time or a version. A quoted part is short, so that an
# apostrophe quotes nothing and no message takes long.
VARYING = re.compile(
    r"""
    \b(?:https?|data|file)://?\S+
    | (?<!\w)'[^'\n]{0,200}'(?!\w)
    | "[^"\n]{0,200}"
    | `[^`\n]{0,200}`
    | “[^”\n]{0,200}”
    | \b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b
    | (?<![\w-])[\w-]*\d(?:[\w.:/,-]*\w)?
    """,
    re.VERBOSE,
)
GAPS = re.compile(rf"{GAP}(?:[\s,;]*{GAP})+")  # a list, whose length varies as well


def signature_of(message: str) -> str:
    """Return ``message`` with "…" for each part that varies from request to request."""
    return GAPS.sub(GAP, VARYING.sub(GAP, message))[:MAX_LENGTH]

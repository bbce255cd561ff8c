"""A corrected version of a file: what was asked for, what was done, and what would be."""

from collections import Counter
from collections.abc import Mapping

import msgspec

from batchapp.domain.corrections.corrector import Choice, CorrectionKind, Corrector
from batchapp.domain.request_files.findings import presentable
from batchapp.domain.request_files.limits import Limits
from batchapp.domain.request_files.reading import lines, strict_json
from batchapp.domain.request_files.rules.request_warnings import find_secret

MAX_EXAMPLES = 5
"""Changed lines that a preview shows."""

EXAMPLE_LENGTH = 160
"""Characters of a line that a preview shows, around what changes."""

BEFORE = 30
"""Characters of them that stay the same and stand in front."""

DONE = {
    CorrectionKind.REMOVE_BYTE_ORDER_MARK: ("byte order mark removed", "byte order marks removed"),
    CorrectionKind.SET_MODEL: (
        "request given the model {model}",
        "requests given the model {model}",
    ),
    CorrectionKind.SET_MAX_TOKENS: (
        "answer limited to {max_tokens:,} tokens",
        "answers limited to {max_tokens:,} tokens",
    ),
    CorrectionKind.STRIP_STREAM: ("stream taken out", "streams taken out"),
    CorrectionKind.SUFFIX_DUPLICATES: ("custom_id numbered", "custom_ids numbered"),
    CorrectionKind.DROP_BAD_ROWS: ("line dropped", "lines dropped"),
}


class Correction(msgspec.Struct, frozen=True):
    """How a file is made of another, which was called ``original``.

    ``changed`` counts the lines of each repair; None until it is done.
    """

    choice: Choice
    original: str
    changed: dict[CorrectionKind, int] | None = None

    @property
    def words(self) -> str:
        """What was done: "3 custom_ids numbered, 12 lines dropped"; "" until it is."""
        return "" if self.changed is None else describe_changes(self.changed, self.choice)


class Example(msgspec.Struct, frozen=True):
    """One line that changes; ``after`` is "" if it is dropped, both are cut around the change."""

    line: int
    before: str
    after: str


class Preview(msgspec.Struct, frozen=True):
    """What a choice does to the first ``lines`` of a file."""

    lines: int
    changed: dict[CorrectionKind, int]
    examples: list[Example]


def describe_changes(changed: Mapping[CorrectionKind, int], choice: Choice) -> str:
    """What became of how many lines, in the order in which it is done."""
    parts = []
    for correction_kind, (one, many) in DONE.items():
        if number := changed.get(correction_kind, 0):
            words = one if number == 1 else many
            words = words.format(model=choice.model, max_tokens=choice.max_tokens)
            parts.append(f"{number:,} {words}")
    return ", ".join(parts) or "nothing changed"


def preview(head: bytes, choice: Choice, limits: Limits) -> Preview:
    """Try ``choice`` on whole lines, in memory."""
    corrector = Corrector(choice, limits)
    old = lines.iter_pieces([head], limits.longest_line + 2)
    new = corrector.run(lambda: [head])
    number, found = 0, list[Example]()
    for number, (piece, fresh) in enumerate(zip(old, new, strict=False), 1):
        if piece.data != fresh and len(found) < MAX_EXAMPLES:
            found.append(_example(number, piece.data, fresh))
    return Preview(number, dict(Counter(corrector.changed)), found)


def _example(number: int, before: bytes, after: bytes) -> Example:
    if find_secret(before):
        return Example(number, "(a secret, not shown)", "(changed)" if after else "")
    old, new = _text(before), _text(after)
    start = next(
        (at for at, (one, other) in enumerate(zip(old, new, strict=False)) if one != other),
        min(len(old), len(new)),
    )
    start = max(0, start - BEFORE) if new else 0
    return Example(number, _cut(old, start), _cut(new, start))


def _text(data: bytes) -> str:
    """A line as the portal would write it, so that spaces are no difference; b"" stays nothing."""
    data = lines.trim(data.removesuffix(b"\n"))
    request = strict_json.read_object(data, explain=False) if data else None
    if isinstance(request, dict):
        data = strict_json.encode_compact(request)
    return data.decode(errors="replace")


def _cut(text: str, start: int) -> str:
    if not text:
        return ""
    return ("…" if start else "") + presentable(text[start:], EXAMPLE_LENGTH)

"""A correction as it is stored, its summary in words, and its preview."""

from collections import Counter
from collections.abc import Mapping

import msgspec

from batchapp.domain.corrections.correction_rules import (
    CORRECTION_RULES,
    STRUCTURE,
    Choice,
    CorrectionKind,
)
from batchapp.domain.corrections.corrector import Corrector
from batchapp.domain.request_files.findings import presentable
from batchapp.domain.request_files.limits import Limits
from batchapp.domain.request_files.reading import lines, strict_json
from batchapp.domain.request_files.rules.request_warnings import find_secret

MAX_EXAMPLES = 5  # changed lines in a preview
EXAMPLE_LENGTH = 160  # characters of a line in a preview, around the change
UNCHANGED_LENGTH = 30  # characters of an example before the change


class Correction(msgspec.Struct, frozen=True):
    """The way to make a file from another file, whose name was ``original``.

    ``changed`` has the number of lines per correction; None until the file is written.
    """

    choice: Choice
    original: str
    changed: dict[CorrectionKind, int] | None = None

    @property
    def words(self) -> str:
        """Return the changes, such as "3 custom_ids numbered"; "" until the file is written."""
        return "" if self.changed is None else describe_changes(self.changed, self.choice)


class Example(msgspec.Struct, frozen=True):
    """A changed line, shortened around the change.

    ``old`` and ``new`` are the text before the change, what changes, and the text behind it;
    ``new`` is empty if the line is dropped.
    """

    line: int
    old: tuple[str, str, str]
    new: tuple[str, str, str]

    @property
    def before(self) -> str:
        return "".join(self.old)

    @property
    def after(self) -> str:
        return "".join(self.new)


class Preview(msgspec.Struct, frozen=True):
    """The changes that a choice makes in the first ``lines`` of a file."""

    lines: int
    changed: dict[CorrectionKind, int]
    examples: list[Example]


def describe_changes(changed: Mapping[CorrectionKind, int], choice: Choice) -> str:
    """Return the number of changed lines per correction in words, in the order of the changes."""
    return ", ".join(list_changes(changed, choice)) or "nothing changed"


def list_changes(changed: Mapping[CorrectionKind, int], choice: Choice) -> list[str]:
    phrases = []
    for kind, rule in CORRECTION_RULES.items():
        if number := changed.get(kind, 0):
            phrase = f"{number:,} {rule.changes[number > 1]}"
            phrases.append(phrase.format(model=choice.model, max_tokens=choice.max_tokens))
    return phrases


def preview(head: bytes, choice: Choice, limits: Limits, *, is_whole: bool = True) -> Preview:
    """Try ``choice`` in memory on ``head``, the start of a file, or all of it."""
    corrector = Corrector(choice, limits)
    if choice.corrections & STRUCTURE:
        return _preview_text(
            head, choice, first_lines(corrector, head, is_whole=is_whole), corrector
        )
    head = head if is_whole else head[: head.rfind(b"\n") + 1]
    old_lines = lines.iter_pieces([head], limits.max_line_bytes + len(b"\r\n"))
    new_lines = corrector.run(lambda: [head])
    number, examples = 0, list[Example]()
    for number, (old, new) in enumerate(zip(old_lines, new_lines, strict=False), 1):
        if old.data != new and len(examples) < MAX_EXAMPLES:
            examples.append(_example(number, old.data, new))
    return Preview(number, dict(Counter(corrector.changed)), examples)


def first_lines(corrector: Corrector, head: bytes, *, is_whole: bool) -> list[bytes]:
    """Return the lines that ``corrector`` makes of the start of a file.

    A line that goes on beyond ``head`` is left out.
    """
    rows = b"".join(corrector.run(lambda: [head])).removesuffix(b"\n").split(b"\n")
    if not is_whole:
        rows.pop()
    return [row + b"\n" for row in rows if row]


def _preview_text(head: bytes, choice: Choice, new: list[bytes], corrector: Corrector) -> Preview:
    """Show the start of the file before and after: the lines are others than before."""
    changed = dict(Counter(corrector.changed))
    if not new or not changed or head.startswith(new[0]):
        return Preview(len(new), changed, [])
    old = head[: 4 * EXAMPLE_LENGTH]
    if CorrectionKind.CONVERT_TO_UTF8 in choice.corrections and b"\0" in old:
        old = old.replace(b"\0", b" ")
    return Preview(len(new), changed, [_example(1, old, new[0])])


def _example(number: int, before: bytes, after: bytes) -> Example:
    if find_secret(before):
        new = "(changed)" if after else ""
        return Example(number, ("(a secret, not shown)", "", ""), (new, "", ""))
    old, new = _compact_text(before), _compact_text(after)
    change = _length_alike(old, new)
    rest = _length_alike(old[change:][::-1], new[change:][::-1])
    return Example(number, _shorten(old, change, rest), _shorten(new, change, rest))


def _length_alike(one: str, other: str) -> int:
    """Return the number of characters that both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _compact_text(data: bytes) -> str:
    """Return a line in compact JSON, so that white space is no difference; "" for b""."""
    data = lines.trim(data.removesuffix(b"\n"))
    request = strict_json.read_object(data, explain=False) if data else None
    if isinstance(request, dict):
        data = strict_json.encode_compact(request)
    return data.decode(errors="replace")


def _shorten(text: str, change: int, rest: int) -> tuple[str, str, str]:
    """Cut ``text`` into what is before the change at ``change``, and the last ``rest`` characters.

    In all, the parts are not longer than an example may be.
    """
    start = max(0, change - UNCHANGED_LENGTH)
    shown = presentable(text[start:], EXAMPLE_LENGTH)
    begin, end = change - start, len(text) - rest - start
    return ("…" if start else "") + shown[:begin], shown[begin:end], shown[max(begin, end) :]

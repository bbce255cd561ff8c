"""Mark the prompts that the requests of a file share, so that the provider caches them."""

from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from batchapp.domain.prompt_cache.blocks import PromptStart, read_start
from batchapp.domain.prompt_cache.choice import Marking, choose_prompts, groups_in_turn
from batchapp.domain.prompt_cache.prefix_tree import Node, PrefixTree
from batchapp.domain.prompt_cache.prompt_summary import list_shared
from batchapp.domain.request_files.findings import RequestFinding
from batchapp.domain.request_files.limits import Limits
from batchapp.domain.request_files.reading import lines, strict_json
from batchapp.domain.request_files.rules.cache_markers import FIELD

NO_GROUP = -1


class PromptMarker:
    """One run over a file; afterwards ``marked`` has the number of marked requests."""

    def __init__(self, marking: Marking, limits: Limits) -> None:
        self.marked = 0
        self.groups = 0
        self._marking, self._max_length = marking, limits.max_line_bytes + len(b"\r\n")
        self._tree = PrefixTree()
        self._chosen: dict[Node, int] = {}

    def run(self, chunks: Callable[[], Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
        """Yield the lines of the marked file in their order, each with the number of its group.

        A line that is not marked keeps its every byte, and has no group. ``chunks`` opens the
        original, and is called twice: what is shared is known at the end alone.
        """
        for position, request in enumerate(map(_read, self._lines(chunks))):
            if start := self._start_of(request):
                self._tree.add(start, "", position, 0)
        self._choose()
        for line in self._lines(chunks):
            request = _read(line)
            start = self._start_of(request)
            numbers = self._numbers(start) if start else []
            if request is None or start is None or not numbers:
                yield NO_GROUP, line
                continue
            group = self._chosen[self._path(start)[numbers[-1]]]
            lifetime = self._marking.rules[start.model].lifetime
            for number in numbers:
                _mark(request["body"], number, lifetime)
            self.marked += 1
            yield group, strict_json.encode_compact(request) + b"\n"

    def _lines(self, chunks: Callable[[], Iterable[bytes]]) -> Iterator[bytes]:
        for piece in lines.iter_pieces(chunks(), self._max_length):
            data = piece.data
            yield data if data.endswith(b"\n") or not piece.is_end else data + b"\n"

    def _start_of(self, request: dict[str, Any] | None) -> PromptStart | None:
        """Return the start of a prompt that has a rule and no marker yet."""
        body = request.get("body") if request else None
        if (
            not request
            or not isinstance(body, dict)
            or body.get("model") not in self._marking.rules
        ):
            return None
        start = read_start(body, request.get("url", ""))
        return None if start is None or start.markers else start

    def _choose(self) -> None:
        for model, rows in list_shared(self._tree).items():
            shared = [row for row, _ in rows]
            rule = self._marking.rules[model]
            for prompt in choose_prompts(shared, rule, self._marking.concurrency):
                self._chosen[rows[prompt.index][1]] = self.groups
                self.groups += 1

    def _path(self, start: PromptStart) -> list[Node]:
        node = self._tree.roots[start.url, start.model]
        path: list[Node] = []
        for block in start.blocks:
            child = node.children.get(hash(block))
            if child is None:
                break
            path.append(child)
            node = child
        return path

    def _numbers(self, start: PromptStart) -> list[int]:
        """Return the numbers of the blocks to mark."""
        return [number for number, node in enumerate(self._path(start)) if node in self._chosen]


def take_turns(groups: Sequence[int], concurrency: int) -> Iterator[int]:
    """Yield the indexes of ``groups`` so that the lines of several groups follow each other.

    The lines of one group keep their order; those of no group come last. A file with one group
    stays as it is.
    """
    rows: dict[int, array[int]] = {}
    for index, group in enumerate(groups):
        rows.setdefault(group, array("q")).append(index)
    rest = rows.pop(NO_GROUP, array("q"))
    if len(rows) < 2:
        yield from range(len(groups))
        return
    waiting = map(iter, rows.values())
    active = deque(islice(waiting, groups_in_turn(len(rows), concurrency)))
    while active:
        group_rows = active.popleft()
        if (row := next(group_rows, None)) is not None:
            active.append(group_rows)
            yield row
        elif (following := next(waiting, None)) is not None:
            active.appendleft(following)
    yield from rest


def _read(line: bytes) -> dict[str, Any] | None:
    data = lines.trim(line)
    request = strict_json.read_object(data, explain=False) if data else None
    return None if isinstance(request, RequestFinding) else request


def _mark(body: dict[str, Any], number: int, lifetime: str) -> None:
    """Put a marker on the block that ``read_start`` gives this number."""
    marker = {"type": "ephemeral", "ttl": lifetime}
    places = [*_places(body)][: number + 1]
    holder, key = next(place for place in reversed(places) if place is not None)
    value = holder[key]
    if isinstance(value, str):
        holder[key] = [{"type": "text", "text": value, FIELD: marker}]
    else:
        value[FIELD] = marker


def _places(body: dict[str, Any]) -> Iterator[tuple[Any, Any] | None]:
    """Yield the place of each block as its holder and key; None for one that takes no marker."""
    tools = body.get("tools")
    if isinstance(tools, list) and tools:
        yield (tools, -1) if isinstance(tools[-1], dict) else None
    yield from _places_in(body, "system")
    for message in body["messages"]:
        if isinstance(message, dict):
            yield from _places_in(message, "content")
            if message.get("tool_calls"):
                yield None


def _places_in(holder: dict[str, Any], key: str) -> Iterator[tuple[Any, Any] | None]:
    value = holder.get(key)
    if isinstance(value, str):
        yield holder, key
    for number, part in enumerate(value if isinstance(value, list) else ()):
        if isinstance(part, dict):
            yield value, number

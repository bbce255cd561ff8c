"""Read the beginning of a prompt block by block, as the provider caches it.

A cached prompt begins with the first block: the tools, then the system text, then the messages.
Other parameters do not matter. Source: run on the provider's server, control-layer 10.13.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from batchapp.domain.request_files.rules.cache_markers import FIELD, lifetime_of
from batchapp.domain.request_files.rules.parameters import CHAT, MESSAGES

URLS = frozenset({CHAT, MESSAGES})
TOOLS = "tools"  # the role of the block of all tools
MAX_BLOCKS = 32  # that are looked into; requests that share more are rare


class Block(NamedTuple):
    """A block with the role of its message, or with "tools" or "system".

    ``text`` is the JSON of a block that is no text.
    """

    role: str
    text: str
    is_text: bool = True


class OwnText(NamedTuple):
    """A block in which the lines of one line template differ; ``number`` is that of its text."""

    role: str
    number: int


class PromptStart:
    """The blocks before the last one: of one request, or of all lines of one line template.

    ``blocks`` are shared by all these lines; ``further`` come behind them, from the first one in
    which the lines differ. ``markers`` has the number of a block and the lifetime of its marker;
    the number of the last block of the prompt is ``len(blocks) + len(further)``. ``reached`` is
    kept by ``PrefixTree``.
    """

    __slots__ = (
        *("blocks", "further", "is_template", "markers", "model", "reached", "reached_in"),
        "url",
    )

    def __init__(
        self,
        url: str,
        model: str,
        blocks: tuple[Block, ...],
        further: tuple[Block | OwnText, ...] = (),
        markers: tuple[tuple[int, str], ...] = (),
        *,
        is_template: bool = False,
    ) -> None:
        self.url, self.model, self.is_template = url, model, is_template
        self.blocks, self.further, self.markers = blocks, further, markers
        self.reached: Any = None
        self.reached_in = -1

    @property
    def own_texts(self) -> int:
        """Return the number of blocks in which the lines differ."""
        return sum(isinstance(block, OwnText) for block in self.further)

    def read_further(self, own_text: str) -> list[Block]:
        """Return the blocks of ``further`` in the line with ``own_text``, its only own block."""
        return [
            Block(block.role, own_text) if isinstance(block, OwnText) else block
            for block in self.further
        ]

    def fill(self, texts: Sequence[str]) -> "PromptStart":
        """Return the start of the line that has these texts at the numbers of its own blocks."""
        further = [
            Block(block.role, texts[block.number]) if isinstance(block, OwnText) else block
            for block in self.further
        ]
        return PromptStart(self.url, self.model, (*self.blocks, *further), (), self.markers)


def read_start(
    body: Mapping[str, Any], url: str, own_messages: Sequence[object] = (), most_own: int = 0
) -> PromptStart | None:
    """Return the start of the prompt of ``body``, a body without errors; None if it has none.

    ``own_messages`` are the messages, in their order, whose texts differ between the lines of a
    line template; the blocks are read up to the first ``most_own`` of them, and no further than
    to the next.
    """
    messages = body.get("messages")
    if url not in URLS or not isinstance(messages, list):
        return None
    blocks: list[Block | OwnText] = []
    markers: list[tuple[int, str]] = []
    _read_tools(body.get("tools"), blocks, markers)
    _read_content("system", body.get("system"), blocks, markers)
    own_number = 0
    for message in messages:
        if len(blocks) > MAX_BLOCKS:
            break
        if not isinstance(message, dict):
            continue
        role = str(message.get("role"))
        if own_number < len(own_messages) and message is own_messages[own_number]:
            blocks.append(OwnText(role, own_number))
            own_number += 1
        else:
            _read_content(role, message.get("content"), blocks, markers)
            if message.get("tool_calls"):
                blocks.append(Block(role, _encode(message["tool_calls"]), is_text=False))
    if lifetime := lifetime_of(body.get(FIELD)):
        markers.append((len(blocks) - 1, lifetime))
    return _split(body["model"], url, blocks[:-1][:MAX_BLOCKS], markers, most_own)


def _split(
    model: str,
    url: str,
    blocks: list[Block | OwnText],
    markers: list[tuple[int, str]],
    most_own: int,
) -> PromptStart | None:
    own = [number for number, block in enumerate(blocks) if isinstance(block, OwnText)]
    kept = own[most_own] if len(own) > most_own else len(blocks)
    places = [
        (min(number, kept), row) for number, row in markers if not kept <= number < len(blocks)
    ]
    if not blocks and not places:
        return None
    fixed = own[0] if own else len(blocks)
    shared = tuple(block for block in blocks[:fixed] if isinstance(block, Block))
    further = tuple(blocks[fixed:kept])
    return PromptStart(url, model, shared, further, tuple(places), is_template=most_own > 0)


def _read_tools(
    tools: object, blocks: list[Block | OwnText], markers: list[tuple[int, str]]
) -> None:
    """Add the tools as a single block: requests that share a part of their tools are rare."""
    if not isinstance(tools, list) or not tools:
        return
    lifetimes = [lifetime_of(tool.get(FIELD)) for tool in tools if isinstance(tool, dict)]
    unmarked = [
        {name: value for name, value in tool.items() if name != FIELD}
        if isinstance(tool, dict)
        else tool
        for tool in tools
    ]
    markers.extend((len(blocks), lifetime) for lifetime in lifetimes if lifetime)
    blocks.append(Block(TOOLS, _encode(unmarked)))


def _read_content(
    role: str,
    content: object,
    blocks: list[Block | OwnText],
    markers: list[tuple[int, str]],
) -> None:
    if isinstance(content, str):
        blocks.append(Block(role, content))
        return
    for part in content if isinstance(content, list) else ():
        if not isinstance(part, dict):
            continue
        if lifetime := lifetime_of(part.get(FIELD)):
            markers.append((len(blocks), lifetime))
        text = part.get("text")
        if part.get("type") == "text" and isinstance(text, str):
            blocks.append(Block(role, text))
        else:
            unmarked = {name: value for name, value in part.items() if name != FIELD}
            blocks.append(Block(role, _encode(unmarked), is_text=False))


def _encode(value: object) -> str:
    return msgspec.json.encode(value).decode()

"""Count the requests of a file that share the beginning of their prompt, in bounded memory.

The prompts of one model are a tree: a node is a block, and the nodes above it are the blocks
before. Most requests have a block of their own somewhere, so a node that one request has reached
gets no children before another request reaches it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from batchapp.domain.prompt_cache.blocks import Block, PromptStart
from batchapp.domain.prompt_cache.prompt_facts import EARLY_WINDOWS

MAX_NODES = 4_096  # in all; beyond it, the nodes of single requests are forgotten
MAX_TEXT_BYTES = 8 * 1024 * 1024  # of the texts that are kept to be counted, about

# Children of one block, of which fewer than one in ``CLOSED_SHARE`` is seen twice: the requests
# differ there, and what comes behind is not looked into any more.
CLOSED_CHILDREN, CLOSED_SHARE = 1_024, 16

UNKNOWN = (0, 0)


class Node:
    """A block that some requests have at the same place behind the same blocks.

    ``requests`` end here; those that go on are counted by the ``children``. ``positions`` are
    those of the first of them, among the requests to their model. ``waiting`` are the further
    blocks of the only request so far, as hash and length. ``unread`` maps lifetimes to requests
    and tokens of which this is the deepest marked block that others may share.
    """

    __slots__ = (
        *("block", "children", "is_closed", "length", "marked", "positions", "requests"),
        *("unread", "waiting"),
    )

    def __init__(self, length: int = 0, block: Block | None = None) -> None:
        self.length, self.block = length, block
        self.requests = 0
        self.positions: list[int] = []
        self.children: dict[int, Node] = {}
        self.waiting: tuple[tuple[int, int], ...] = ()
        self.is_closed = False
        self.marked: Counter[str] = Counter()
        self.unread: dict[str, tuple[int, int]] = {}


class PrefixTree:
    """The prompts of a file by url and model; ``is_partial`` if there are too many of them."""

    def __init__(self) -> None:
        self.roots: dict[tuple[str, str], Node] = {}
        self.marked: Counter[str] = Counter()  # model -> requests with a marker
        self.is_partial = False
        self._nodes = self._text_bytes = 0
        self._is_full = False
        self._number = 0  # of the forgetting: nodes that were reached before it may be gone

    def add(self, start: PromptStart, own_text: str, position: int, tokens: int) -> None:
        """Count a request with ``tokens`` of input, the ``position``-th to its model from 0."""
        if start.reached_in != self._number or start.reached is None:
            start.reached = self._reach(start)
            start.reached_in = self._number
        node: Node = start.reached
        if start.markers:
            node = self._add_marked(start, own_text, tokens)
        elif start.further and (node.children or not node.is_closed):
            node = self._descend(node, start.read_further(own_text))
        node.requests += 1
        if len(node.positions) < EARLY_WINDOWS[-1]:
            node.positions.append(position)

    def _reach(self, start: PromptStart) -> Node:
        """Return the node of the last of the blocks that all lines of ``start`` share.

        A single request has no such lines, so its blocks may be its own.
        """
        root = self.roots.setdefault((start.url, start.model), Node())
        if not start.is_template:
            return self._descend(root, start.blocks)
        return self._follow(root, start.blocks)[-1]

    def _descend(self, node: Node, blocks: Sequence[Block]) -> Node:
        """Follow ``blocks`` as far as another request went; return the last node."""
        for number, block in enumerate(blocks):
            if node.is_closed and not node.children:
                break
            child = node.children.get(hash(block))
            if child is None:
                child = self._add_child(node, block)
                if child is None:
                    break
                rest = blocks[number + 1 :]
                child.waiting = tuple((hash(later), len(later.text)) for later in rest)
                return child
            self._visit(child, block)
            node = child
        return node

    def _follow(self, node: Node, blocks: Sequence[Block]) -> list[Node]:
        """Follow all ``blocks`` from ``node``; return it and the nodes on the way."""
        path = [node]
        for block in blocks:
            child = node.children.get(hash(block)) or self._add_child(node, block)
            if child is None:
                break
            self._visit(child, block)
            path.append(child)
            node = child
        return path

    def _add_marked(self, start: PromptStart, own_text: str, tokens: int) -> Node:
        blocks = [*start.blocks, *start.read_further(own_text)]
        root = self.roots[start.url, start.model]
        path = self._follow(root, blocks)
        self.marked[start.model] += 1
        marked = root
        for number, lifetime in start.markers:
            if number + 1 < len(path):
                path[number + 1].marked[lifetime] += 1
                marked = path[number + 1]
        for number, lifetime in start.markers:
            if number + 1 >= len(path):
                requests, written = marked.unread.get(lifetime, UNKNOWN)
                marked.unread[lifetime] = requests + 1, written + tokens
                break
        return path[-1]

    def _add_child(self, node: Node, block: Block) -> Node | None:
        if self._takes_child(node) and self._nodes >= MAX_NODES:
            self._forget()
        if not self._takes_child(node):
            return None
        child = node.children[hash(block)] = Node(len(block.text))
        self._nodes += 1
        self._keep_text(child, block)
        return child

    def _takes_child(self, node: Node) -> bool:
        return not (node.is_closed or self._is_full)

    def _visit(self, node: Node, block: Block) -> None:
        """Keep the text of a node if there is room, and let its only request go on."""
        if node.block is None:
            self._keep_text(node, block)
        if node.waiting:
            (key, length), *rest = node.waiting
            child = node.children[key] = Node(length)
            child.waiting = tuple(rest)
            child.requests, child.positions = node.requests, node.positions
            node.requests, node.positions, node.waiting = 0, [], ()
            self._nodes += 1

    def _keep_text(self, node: Node, block: Block) -> None:
        if self._text_bytes + len(block.text) <= MAX_TEXT_BYTES:
            node.block = block
            self._text_bytes += len(block.text)

    def _forget(self) -> None:
        """Forget the nodes of single requests, which no other request may ever share."""
        self._number += 1
        self.is_partial = True
        for root in self.roots.values():
            for node in walk(root):
                single = [key for key, child in node.children.items() if _is_single(child)]
                kept = len(node.children) - len(single)
                node.is_closed |= len(single) >= CLOSED_CHILDREN > kept * CLOSED_SHARE
                for key in single:
                    self._drop(node, key)
        self._is_full = self._nodes > MAX_NODES // 2

    def _drop(self, node: Node, key: int) -> None:
        child = node.children.pop(key)
        if child.block:
            self._text_bytes -= len(child.block.text)
        node.requests += child.requests
        node.positions = sorted([*node.positions, *child.positions])[: EARLY_WINDOWS[-1]]
        self._nodes -= 1


def _is_single(node: Node) -> bool:
    return node.requests <= 1 and not node.children and not node.marked and not node.unread


def walk(root: Node) -> Iterator[Node]:
    """Yield ``root`` and all nodes below it, a node before its children."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(node.children.values())

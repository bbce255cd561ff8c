"""Sum up the prefixes of a file as the shared prompts of each model."""

from bisect import bisect_left
from collections.abc import Iterator

import msgspec

from batchapp.domain.prompt_cache.blocks import TOOLS
from batchapp.domain.prompt_cache.prefix_tree import Node, PrefixTree, walk
from batchapp.domain.prompt_cache.prompt_facts import EARLY_WINDOWS, PromptFacts, SharedPrompt
from batchapp.domain.request_files.rules.parameters import CHAT
from batchapp.domain.tokens import counting, model_families, token_ratio

MAX_SHARED = 64  # prompts of one model that a report lists; the others are summed up


def summarise_prompts(tree: PrefixTree) -> dict[str, PromptFacts]:
    """Return model -> what its prompts share; a model whose prompts share nothing is absent."""
    facts: dict[str, PromptFacts] = {}
    for (_, model), root in tree.roots.items():
        model_facts = facts.setdefault(model, PromptFacts(is_partial=tree.is_partial))
        model_facts.marked = tree.marked[model]
        prompts, first = _ModelPrompts(root, model), len(model_facts.shared)
        rows = [row for row, _ in prompts.describe(first, model_facts)]
        model_facts.shared += _shorten(rows, first)
    return {model: row for model, row in facts.items() if row.shared or row.marked}


def list_shared(tree: PrefixTree) -> dict[str, list[tuple[SharedPrompt, Node]]]:
    """Return model -> all its shared prompts, each with the node of its last block."""
    rows: dict[str, list[tuple[SharedPrompt, Node]]] = {}
    for (_, model), root in tree.roots.items():
        listed = rows.setdefault(model, [])
        listed += _ModelPrompts(root, model).describe(len(listed), PromptFacts())
    return rows


class _ModelPrompts:
    """The prefixes of the requests to one model at one url."""

    def __init__(self, root: Node, model: str) -> None:
        self._root = root
        self._requests: dict[Node, int] = {}
        self._positions: dict[Node, list[int]] = {}
        self._tokens = _TokenCounter(model)
        self._add_up()

    def _add_up(self) -> None:
        for node in reversed(list(walk(self._root))):
            children = node.children.values()
            self._requests[node] = node.requests + sum(self._requests[row] for row in children)
            positions = [*node.positions]
            for child in children:
                positions += self._positions[child]
            self._positions[node] = sorted(positions)[: EARLY_WINDOWS[-1]]
            if self._requests[node] > 1 or node.marked:
                self._tokens.learn(node)

    def describe(self, first: int, facts: PromptFacts) -> list[tuple[SharedPrompt, Node]]:
        """Return the shared prompts with their nodes, a shorter one before those it begins.

        ``first`` will be the index of the first of them. Tokens that nothing reads are added to
        ``facts``.
        """
        shared: list[tuple[SharedPrompt, Node]] = []
        # Each entry: a node, the tokens before it, the shared prompt above it, and its tokens.
        stack: list[tuple[Node, int, int, int]] = [(self._root, 0, -1, 0)]
        while stack:
            node, tokens, parent, parent_tokens = stack.pop()
            if node is not self._root:
                tokens += self._tokens.count(node)
            for lifetime, (requests, written) in node.unread.items():
                _add_unshared(facts, lifetime, requests, written - requests * tokens)
            if node.marked and self._requests[node] == 1:
                _add_unshared(facts, next(iter(node.marked)), 1, tokens - parent_tokens)
            if node is not self._root and self._is_shared(node):
                shared.append((self._describe(node, tokens, tokens - parent_tokens, parent), node))
                parent, parent_tokens = first + len(shared) - 1, tokens
            stack += [(row, tokens, parent, parent_tokens) for row in node.children.values()]
        return shared

    def _is_shared(self, node: Node) -> bool:
        """Return True for the last of the blocks that the same requests share."""
        requests = self._requests[node]
        most = max((self._requests[child] for child in node.children.values()), default=0)
        return requests > 1 and (requests > most or bool(node.marked))

    def _describe(self, node: Node, tokens: int, added: int, parent: int) -> SharedPrompt:
        positions = self._positions[node]
        first = positions[0]
        early = [bisect_left(positions, first + window) for window in EARLY_WINDOWS]
        requests, marked = self._requests[node], dict(node.marked)
        return SharedPrompt(requests, tokens, added, parent, early, marked, first=first)


def _add_unshared(facts: PromptFacts, lifetime: str, requests: int, tokens: int) -> None:
    facts.unshared[lifetime] = facts.unshared.get(lifetime, 0) + max(0, tokens)
    facts.unshared_requests += requests


def _shorten(shared: list[SharedPrompt], first: int) -> list[SharedPrompt]:
    """Keep the prompts that repeat the most tokens, and the shorter ones that begin them.

    The others are summed up for each prompt that begins them. ``first`` is the index of the first
    of ``shared`` in the list of its model.
    """
    if len(shared) <= MAX_SHARED:
        return shared
    weights = [row.added * (row.requests - 1) for row in shared]
    kept: set[int] = set()
    for index in sorted(range(len(shared)), key=lambda index: -weights[index])[:MAX_SHARED]:
        kept.update(_with_parents(shared, index, first))
    places: dict[int, int] = {}
    rows: list[SharedPrompt] = []
    sums: dict[tuple[int, tuple[str, ...]], list[SharedPrompt]] = {}
    for index, row in enumerate(shared):
        if index in kept:
            row.parent = places.get(row.parent - first, -1) if row.parent >= 0 else -1
            places[index] = first + len(rows)
            rows.append(row)
        else:
            parent = next((at for at in _with_parents(shared, index, first) if at in kept), -1)
            sums.setdefault((parent, tuple(row.marked)), []).append(row)
    for (parent, _), summed in sums.items():
        rows.append(_sum_up(summed, places.get(parent, -1)))
    return rows


def _with_parents(shared: list[SharedPrompt], index: int, first: int) -> Iterator[int]:
    while index >= 0:
        yield index
        parent = shared[index].parent
        index = parent - first if parent >= 0 else -1


def _sum_up(rows: list[SharedPrompt], parent: int) -> SharedPrompt:
    requests = sum(row.requests for row in rows)
    marked: dict[str, int] = {}
    for row in rows:
        for lifetime, number in row.marked.items():
            marked[lifetime] = marked.get(lifetime, 0) + number
    return SharedPrompt(
        requests,
        sum(row.tokens * row.requests for row in rows) // requests,
        sum(row.added * row.requests for row in rows) // requests,
        parent,
        [sum(row.early[window] for row in rows) for window in range(len(EARLY_WINDOWS))],
        marked,
        len(rows),
    )


class _TokenCounter:
    """Counts the tokens of blocks; those whose text was not kept by the ratio of the others."""

    def __init__(self, model: str) -> None:
        family = model_families.family_of(model)
        self._model, self._vocabulary = model, family.vocabulary() if family else None
        self._counts: dict[Node, int] = {}
        self._characters = self._tokens = 0

    def learn(self, node: Node) -> None:
        """Count the tokens of a block whose text was kept."""
        if node.block is None:
            return
        text = node.block.text
        if not node.block.is_text:
            self._counts[node] = token_ratio.PER_ATTACHMENT
            return
        if node.block.role == TOOLS:
            tokens = self._count_tools(text)
        elif self._vocabulary:
            tokens = self._vocabulary.count(text)
        else:
            tokens = -(-token_ratio.text_quarters(text) // token_ratio.QUARTERS_PER_TOKEN)
        self._counts[node] = tokens
        self._characters += len(text)
        self._tokens += tokens

    def _count_tools(self, text: str) -> int:
        """Count the tools with what the template of the model writes around them."""
        body = {"model": self._model, "messages": [{"role": "user", "content": "Hi"}]}
        with_tools = body | {"tools": msgspec.json.decode(text)}
        sizes = [counting.measure_input(row, CHAT).tokens for row in (with_tools, body)]
        return sizes[0] - sizes[1]

    def count(self, node: Node) -> int:
        if node in self._counts:
            return self._counts[node]
        if not self._characters:
            return node.length // token_ratio.QUARTERS_PER_TOKEN
        return node.length * self._tokens // self._characters

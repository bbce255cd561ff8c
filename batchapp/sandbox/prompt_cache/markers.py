"""The cache markers of a request: ``cache_control`` on content blocks, tools or the whole body."""

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec

from batchapp.sandbox.language_model.conversation import (
    PromptSize,
    message_list,
    tool_list,
    without_marker,
)
from batchapp.sandbox.prompt_cache.tariffs import LIFETIMES, CacheSettings

CACHED_URLS = ("/v1/chat/completions", "/v1/messages")
MAX_BREAKPOINTS = 4
LOOK_BACK = 20  # blocks whose end a marker looks up, from the marked block backwards
_MALFORMED = (
    'cache_control must be an object with a string "type": "ephemeral"'
    ' (and an optional string "ttl")'
)


class Breakpoint(msgspec.Struct, array_like=True):
    """A marked block: the prompt up to its end is kept for the lifetime ``ttl``."""

    position: int
    ttl: str
    tokens: int  # of the prompt up to the end of the block


class MarkedPrompt(msgspec.Struct, array_like=True):
    """The markers of one request, or why they are invalid."""

    error: str = ""
    breakpoints: list[Breakpoint] = []
    first: int = 0  # position of the block of the first digest
    digests: list[str] = []  # of the prompt up to the end of each block

    def prefixes(self, breakpoint_: Breakpoint) -> Iterator[tuple[int, str]]:
        """Yield the positions and digests that a marker looks up, the longest prompt first."""
        end = breakpoint_.position
        for position in range(end, max(end - LOOK_BACK, -1), -1):
            yield position, self.digests[position - self.first]


class _MarkerError(Exception):
    """The text is the one of the provider."""


def marked_prompt(url: str, body: dict[str, Any], settings: CacheSettings) -> MarkedPrompt | None:
    """Return the markers of a request, or None if it has none or its API has no cache."""
    if url not in CACHED_URLS:
        return None
    try:
        prompt = _marked_prompt(url, body, settings)
    except _MarkerError as exc:
        return MarkedPrompt(error=str(exc))
    return prompt if prompt.breakpoints else None


def _marked_prompt(url: str, body: dict[str, Any], settings: CacheSettings) -> MarkedPrompt:
    digest, size = hashlib.sha256(), PromptSize()
    digests: list[str] = []
    breakpoints: list[Breakpoint] = []
    for role, block in _blocks(url, body, size):
        digest.update(f"{role}\0".encode())
        digest.update(msgspec.json.encode(without_marker(block), order="sorted"))
        digests.append(digest.hexdigest()[:32])
        marker = block.get("cache_control") if isinstance(block, dict) else None
        if marker is not None:
            ttl = _ttl(marker, settings)
            if len(breakpoints) == MAX_BREAKPOINTS:
                raise _MarkerError(f"too many cache_control breakpoints (max {MAX_BREAKPOINTS})")
            breakpoints.append(Breakpoint(len(digests) - 1, ttl, size.tokens))
    _mark_last_block(body, settings, breakpoints, len(digests) - 1, size.tokens)
    if not breakpoints:
        return MarkedPrompt()
    first = max(breakpoints[0].position - LOOK_BACK + 1, 0)
    return MarkedPrompt(
        breakpoints=breakpoints,
        first=first,
        digests=digests[first : breakpoints[-1].position + 1],
    )


def _mark_last_block(
    body: dict[str, Any],
    settings: CacheSettings,
    breakpoints: list[Breakpoint],
    last: int,
    tokens: int,
) -> None:
    """Add the marker of the whole body, which stands for one on the last block."""
    marker = body.get("cache_control")
    if marker is None:
        return
    ttl = _ttl(marker, settings)
    if last < 0:
        return
    if breakpoints and breakpoints[-1].position == last:
        if breakpoints[-1].ttl != ttl:
            raise _MarkerError(
                "top-level cache_control ttl conflicts with the explicit cache_control on the"
                " last block"
            )
    elif len(breakpoints) == MAX_BREAKPOINTS:
        raise _MarkerError(
            f"no breakpoint slot left for automatic caching (all {MAX_BREAKPOINTS} used by"
            " explicit markers)"
        )
    else:
        breakpoints.append(Breakpoint(last, ttl, tokens))


def _blocks(url: str, body: dict[str, Any], size: PromptSize) -> Iterator[tuple[str, Any]]:
    """Yield the blocks of the prompt with their roles, and add each to ``size`` first."""
    for tool in tool_list(body):
        size.add_json(without_marker(tool))
        yield "tool_definition", tool
    for message in message_list(url, body):
        role, content = message.get("role"), message.get("content")
        size.messages += 1
        for part in content if isinstance(content, list) else [content]:
            if part is not None:
                size.add_part(part)
                yield str(role), {"type": "text", "text": part} if part is content else part
        calls = message.get("tool_calls")
        for call in calls if role == "assistant" and isinstance(calls, list) else []:
            size.add_json(without_marker(call))
            yield "tool_call", call


def _ttl(marker: object, settings: CacheSettings) -> str:
    """Return the lifetime of a valid marker."""
    if not isinstance(marker, dict) or not isinstance(marker.get("type"), str):
        raise _MarkerError(_MALFORMED)
    if marker["type"] != "ephemeral":
        raise _MarkerError(
            f'unsupported cache_control type: "{marker["type"]}" (only "ephemeral")'
        )
    ttl = marker.get("ttl", settings.default_ttl)
    if not isinstance(ttl, str):
        raise _MarkerError(_MALFORMED)
    if ttl not in LIFETIMES:
        raise _MarkerError(f'invalid cache_control ttl: "{ttl}"')
    if ttl not in settings.ttls:
        raise _MarkerError(
            f"cache_control ttl tier '{ttl}' is not currently available;"
            f" available tiers: {', '.join(settings.ttls)}"
        )
    return ttl

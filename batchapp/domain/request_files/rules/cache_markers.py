"""Find markers of prompts to be cached (``cache_control``) that fail, cost, or do nothing.

Sources: the provider's server, control-layer 10.13, run with its prompt cache; Anthropic's guide
to prompt caching, whose markers these are.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from batchapp.domain.request_files.findings import RequestFinding, presentable
from batchapp.domain.request_files.rules.parameters import CHAT, MAX_ECHO, MESSAGES

FIELD = "cache_control"
WRITTEN = b"cache_control"
# JSON may write any letter of the field as such an escape.
ESCAPED = b"\\u00"

LIFETIMES = ("5m", "1h", "24h")
MAX_MARKERS = 4  # in one request
EXAMPLE = '{"type": "ephemeral", "ttl": "5m"}'


class Marker(NamedTuple):
    """A marker, the object that has it as ``cache_control``, and its place in words."""

    value: object
    holder: dict[str, Any]
    place: str


def may_have_markers(written: bytes) -> bool:
    """Return False if ``written``, a body as it is written in its line, has no marker."""
    return WRITTEN in written or ESCAPED in written


def find_bad_markers(body: object, url: object) -> Iterator[RequestFinding]:
    """Yield the findings of markers for which the provider refuses the request when it runs."""
    if not isinstance(body, dict) or url not in (CHAT, MESSAGES):
        return
    markers = list(_markers(body))
    for marker in markers:
        if problem := _find_problem(marker.value):
            yield _bad_marker(f"cache_control {marker.place} {problem}")
            return
    if len(markers) > MAX_MARKERS:
        yield _bad_marker(
            f"body has {len(markers):,} markers of cache_control; keep {MAX_MARKERS} at most"
        )


def find_useless_markers(body: Mapping[str, Any], url: str) -> Iterator[RequestFinding]:
    """Yield the findings of sound markers that save nothing in a batch."""
    if url not in (CHAT, MESSAGES):
        return
    if body.get(FIELD) is not None or _marks_last_block(body):
        place = "beside the messages" if body.get(FIELD) is not None else "on the last block"
        yield RequestFinding(
            "costly_cache_marker",
            f"cache_control stands {place}, so the whole request is written to the cache at a "
            "higher price, and nothing reads it unless another request is the same; put it on the "
            "last block that the requests share.",
        )
    for marker in _ignored_markers(body):
        yield RequestFinding(
            "ignored_cache_marker",
            f"cache_control {marker.place} stands beside its content, where it is not read; put "
            "it on a block of the content.",
        )
        return


def all_markers(body: dict[str, Any], url: object) -> list[Marker]:
    """Return all markers of a request, also those that the provider does not read."""
    if url not in (CHAT, MESSAGES):
        return []
    return [*_markers(body), *_ignored_markers(body)]


def wrong_markers(body: dict[str, Any], url: object) -> list[Marker]:
    """Return the markers with a finding: they fail, only cost, or are not read.

    Of sound markers that are too many, the last ones are returned.
    """
    if url not in (CHAT, MESSAGES):
        return []
    last, wrong, sound = _last_part(body), [*_ignored_markers(body)], list[Marker]()
    for marker in _markers(body):
        only_costs = marker.holder is body or marker.holder is last
        (wrong if only_costs or _find_problem(marker.value) else sound).append(marker)
    return wrong + sound[MAX_MARKERS:]


def lifetime_of(marker: object) -> str:
    """Return the lifetime that a sound marker asks for; "" if there is no sound marker."""
    if marker is None or _find_problem(marker):
        return ""
    return marker.get("ttl") or LIFETIMES[0] if isinstance(marker, dict) else ""


def _markers(body: dict[str, Any]) -> Iterator[Marker]:
    """Yield the markers that the server reads: of tools, blocks of content, and the body."""
    if body.get(FIELD) is not None:
        yield Marker(body[FIELD], body, "beside the messages")
    yield from _markers_in(body.get("tools"), "of tool {:,}")
    yield from _markers_in(body.get("system"), "of part {:,} of system")
    for number, message in enumerate(_list(body.get("messages")), 1):
        if isinstance(message, dict):
            place = f"of part {{:,}} of message {number:,}"
            yield from _markers_in(message.get("content"), place)


def _markers_in(blocks: object, place: str) -> Iterator[Marker]:
    for number, block in enumerate(_list(blocks), 1):
        if isinstance(block, dict) and block.get(FIELD) is not None:
            yield Marker(block[FIELD], block, place.format(number))


def _ignored_markers(body: Mapping[str, Any]) -> Iterator[Marker]:
    """Yield the markers beside the content of a message."""
    for number, message in enumerate(_list(body.get("messages")), 1):
        if isinstance(message, dict) and message.get(FIELD) is not None:
            yield Marker(message[FIELD], message, f"of message {number:,}")


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _find_problem(marker: object) -> str:
    """Say what is wrong with a marker, and what to do behind a semicolon; "" if it is sound."""
    if not isinstance(marker, dict):
        return f"is no object; write {EXAMPLE}"
    kind, lifetime = marker.get("type"), marker.get("ttl")
    if kind is None:
        return f"has no type; write {EXAMPLE}"
    if kind != "ephemeral":
        shown = f"“{presentable(kind, MAX_ECHO)}”" if isinstance(kind, str) else "that is no text"
        return f"has a type {shown}; the only one is ephemeral"
    if lifetime is not None and lifetime not in LIFETIMES:
        shown = presentable(lifetime, MAX_ECHO) if isinstance(lifetime, str) else "no text"
        return f"has a ttl that is “{shown}”; write one of {', '.join(LIFETIMES)}"
    return ""


def _marks_last_block(body: Mapping[str, Any]) -> bool:
    part = _last_part(body)
    return part is not None and part.get(FIELD) is not None


def _last_part(body: Mapping[str, Any]) -> dict[str, Any] | None:
    messages = _list(body.get("messages"))
    last = messages[-1] if messages else None
    parts = _list(last.get("content")) if isinstance(last, dict) else []
    part = parts[-1] if parts else None
    return part if isinstance(part, dict) else None


def _bad_marker(problem: str) -> RequestFinding:
    what, _, advice = problem.partition("; ")
    return RequestFinding("bad_cache_marker", f"{what}, so this request will fail; {advice}.")

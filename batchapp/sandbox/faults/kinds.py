"""Every fault that can be asked for: when it strikes, which calls, and its usual value."""

from dataclasses import dataclass

ALL_CALLS = ("any",)
READS = ("read",)
WRITES = ("upload", "create", "cancel", "retry")


@dataclass(frozen=True, slots=True)
class Kind:
    """One fault. ``value`` is what it takes if a switch names none; None if it takes no value."""

    calls: tuple[str, ...]
    value: float | str | None
    meaning: str


_CONNECTION = {
    "lost-request": Kind(WRITES, None, "the connection closes; nothing was done"),
    "lost-reply": Kind(WRITES, None, "the work is done and kept, then the connection closes"),
    "late-request": Kind(("create",), 5.0, "the work begins N seconds late, client or no client"),
    "slow": Kind(ALL_CALLS, 3.0, "the work is done at once, the reply comes N seconds late"),
    "trickle": Kind(ALL_CALLS, 5.0, "the reply's body comes in ten pieces over N seconds"),
    "refuse": Kind(ALL_CALLS, 5.0, "connections break and are refused for N seconds"),
    "restart": Kind(ALL_CALLS, None, "the sandbox dies before the work, and starts again"),
    "restart-after": Kind(WRITES, None, "the sandbox dies after the work, before the reply"),
}
_REFUSALS = {
    "busy": Kind(("upload", "create"), None, "429 whose header says 60 and whose body 30 seconds"),
    "capacity": Kind(("create",), None, "429 for want of capacity in this completion window"),
    "unverified": Kind(("create",), None, "429 because the account is not verified"),
    "unavailable": Kind(ALL_CALLS, None, "503, nothing was done"),
    "unavailable-after": Kind(WRITES, None, "503, though the work is done and kept"),
    "error": Kind(ALL_CALLS, None, "500, nothing was done"),
    "error-after": Kind(WRITES, None, "500, though the work is done and kept"),
    "gone": Kind(("file", "content", "batch", "results"), None, "410"),
    "html": Kind(ALL_CALLS, 502.0, "a web page with status N; nothing was done"),
    "html-after": Kind(
        WRITES, 502.0, "a web page with status N, though the work is done and kept"
    ),
    "empty": Kind(ALL_CALLS, None, "200 with nothing in it, though the work is done and kept"),
}
_ANSWERS = {
    "wrong-types": Kind(READS, None, "numbers are texts, texts numbers, lists objects and back"),
    "unknown-status": Kind(
        ("create", "batch", "batches", "cancel", "retry"), "reviewing", "a status nobody knows"
    ),
    "counts-back": Kind(("batch", "batches"), None, "only half of what is completed is counted"),
    "counts-odd": Kind(("batch", "batches"), None, "more requests have failed than there are"),
    "lag": Kind(
        ("batch", "batches", "file", "files"), 5.0, "nothing younger than N seconds is known"
    ),
    "vanish": Kind(
        ("batch", "batches", "file", "files"), 100.0, "N percent of the ids are unknown for now"
    ),
}
_STATES = {
    "reopen": Kind(("batch",), None, "a batch that was seen finished runs again, once"),
    "late-landing": Kind(("cancel",), 1.0, "N cancelled requests still come to an end, and cost"),
}
_LINES = {
    "cut": Kind(("content",), 500.0, "the connection closes after N bytes of body"),
    "cut-announced": Kind(
        ("content",), 500.0, "the same, with a length announced that is greater"
    ),
    "cut-clean": Kind(("content",), 500.0, "after N bytes the body ends as if it were complete"),
    "swap": Kind(("content",), None, "a line appears before one that was already read"),
    "shuffle": Kind(("content",), None, "the lines come in another order each time"),
    "repeat": Kind(("content",), 10.0, "N percent of the lines come twice"),
    "missing": Kind(("content",), 10.0, "N percent of the lines are left out"),
    "stranger": Kind(("content",), 1.0, "N lines more, for a custom_id nobody sent"),
    "huge": Kind(("content",), 10_000_000.0, "the first line is N bytes longer"),
    "invalid-utf8": Kind(("content",), None, "the first line holds bytes that are no text"),
    "x-incomplete": Kind(("content",), None, "X-Incomplete says the opposite"),
    "torn": Kind(("content",), None, "the first line ends in its middle"),
}
_DELIVERIES = {
    "webhook-duplicate": Kind(("webhook",), None, "a delivery is made twice"),
    "webhook-late": Kind(("webhook",), 5.0, "a delivery is made N seconds late"),
    "webhook-disorder": Kind(("webhook",), None, "a delivery waits until a later one was made"),
    "webhook-lost": Kind(("webhook",), None, "an attempt never leaves, and counts as failed"),
}

KINDS: dict[str, Kind] = {
    **_CONNECTION,
    **_REFUSALS,
    **_ANSWERS,
    **_STATES,
    **_LINES,
    **_DELIVERIES,
}
REFUSALS = "sandbox.refusals"
"""Where in a call's scope stands which refusals of ``create`` are asked for."""
LINE_FAULTS = frozenset(_LINES) - {"cut", "cut-announced", "cut-clean"}
ANSWER_FAULTS = frozenset(_ANSWERS)

CALLS: dict[str, tuple[str, str]] = {
    "models": ("GET", "/v1/models"),
    "upload": ("POST", "/v1/files"),
    "files": ("GET", "/v1/files"),
    "file": ("GET", "/v1/files/*"),
    "delete-file": ("DELETE", "/v1/files/*"),
    "content": ("GET", "/v1/files/*/content"),
    "estimate": ("GET", "/v1/files/*/cost-estimate"),
    "create": ("POST", "/v1/batches"),
    "batches": ("GET", "/v1/batches"),
    "batch": ("GET", "/v1/batches/*"),
    "delete-batch": ("DELETE", "/v1/batches/*"),
    "cancel": ("POST", "/v1/batches/*/cancel"),
    "retry": ("POST", "/v1/batches/*/retry"),
    "retry-requests": ("POST", "/v1/batches/*/retry-requests"),
    "results": ("GET", "/v1/batches/*/results"),
    "analytics": ("GET", "/v1/batches/*/analytics"),
    "webhook": ("HOOK", "/webhook"),
}
"""Names for calls. A ``*`` stands for one id; the last is not a call but a delivery."""
GROUPS = {"any", "read", "write"}


def call_of(method: str, path: str) -> str:
    """The name of a call, or "" for one without a name. ``/ai/v1`` is the same as ``/v1``."""
    parts = path.removeprefix("/ai").split("/")[1:]
    if len(parts) > 2:
        parts[2] = "*"
    return _NAMES.get((method, "/" + "/".join(parts)), "")


_NAMES = {place: name for name, place in CALLS.items()}

"""All faults, with their default calls and values, and the names of calls."""

from dataclasses import dataclass

ALL_CALLS = ("any",)
READS = ("read",)
WRITES = ("upload", "create", "cancel", "retry")


@dataclass(frozen=True, slots=True)
class Kind:
    """The defaults of one fault; ``value`` is None for a fault without a value."""

    calls: tuple[str, ...]
    value: float | str | None
    meaning: str


_CONNECTION = {
    "lost-request": Kind(WRITES, None, "the connection closes before the call is processed"),
    "lost-reply": Kind(WRITES, None, "the call is processed, then the connection closes"),
    "late-request": Kind(
        ("create",), 5.0, "processing starts N seconds late, even without the client"
    ),
    "slow": Kind(ALL_CALLS, 3.0, "the response is sent N seconds after the processing"),
    "trickle": Kind(ALL_CALLS, 5.0, "the response body is sent in ten chunks over N seconds"),
    "drip": Kind(ALL_CALLS, 1.0, "the response body is sent one byte every N seconds"),
    "refuse": Kind(ALL_CALLS, 5.0, "all connections close; new ones are refused for N seconds"),
    "restart": Kind(ALL_CALLS, None, "the sandbox is killed before processing, and restarts"),
    "restart-after": Kind(WRITES, None, "the sandbox is killed after processing, and restarts"),
}
_REFUSALS = {
    "refuse-key": Kind(ALL_CALLS, None, "401 without processing, although the key is valid"),
    "busy": Kind(("upload", "create"), None, "429; the header says 60 seconds, the body 30"),
    "capacity": Kind(("create",), None, "429 because this completion window has no capacity"),
    "unverified": Kind(
        ("create",), 0.0, "429 beyond N requests per hour of the window, for want of a payment"
    ),
    "one-window": Kind(("create",), "24h", "400 unless the completion window is this one"),
    "line-503": Kind(("upload",), 1.0, "503 because an image of line N cannot be fetched"),
    "unavailable": Kind(ALL_CALLS, None, "503 without processing"),
    "unavailable-after": Kind(WRITES, None, "503 after processing"),
    "error": Kind(ALL_CALLS, None, "500 without processing"),
    "error-after": Kind(WRITES, None, "500 after processing"),
    "gone": Kind(("file", "content", "batch", "results"), None, "410 without processing"),
    "not-found": Kind(
        ("file", "content", "batch", "results"), None, "404 without processing, whatever exists"
    ),
    "html": Kind(ALL_CALLS, 502.0, "a web page with status N without processing"),
    "html-error": Kind(ALL_CALLS, 502.0, "the same page without a title"),
    "html-after": Kind(WRITES, 502.0, "a web page with status N after processing"),
    "gzip-bomb": Kind(ALL_CALLS, 100_000_000.0, "a small gzip body that unpacks to N bytes"),
    "empty": Kind(ALL_CALLS, None, "200 with an empty body after processing"),
}
_JSON = {
    "wrong-types": Kind(READS, None, "values have other JSON types, such as texts for numbers"),
    "unknown-status": Kind(
        ("create", "batch", "batches", "cancel", "retry"),
        "reviewing",
        "a status that the API does not define",
    ),
    "counts-back": Kind(("batch", "batches"), None, "only half of the completions are counted"),
    "counts-odd": Kind(("batch", "batches"), None, "more requests have failed than the batch has"),
    "billed-twice": Kind(("analytics", "batches"), 10.0, "N answers are billed a second time"),
    "lag": Kind(
        ("batch", "batches", "file", "files"), 5.0, "objects younger than N seconds are unknown"
    ),
    "vanish": Kind(
        ("batch", "batches", "file", "files"), 100.0, "N percent of the ids are unknown"
    ),
}
_BATCHES = {
    "reopen": Kind(("batch",), None, "a finished batch runs again, once, after it was read"),
    "cancel-before-population": Kind(
        ("cancel", "delete-file"), None, "a batch without results is cancelled as if validating"
    ),
    "late-landing": Kind(("cancel",), 1.0, "N cancelled requests still finish and are billed"),
}
_LINES = {
    "cut": Kind(("content",), 500.0, "the connection closes after N bytes of the body"),
    "cut-announced": Kind(("content",), 500.0, "the same, with a greater Content-Length"),
    "cut-clean": Kind(("content",), 500.0, "the body ends after N bytes like a complete response"),
    "endless-content": Kind(("content",), None, "the lines are sent again and again, for ever"),
    "swap": Kind(("content",), None, "a line appears before a line that was already read"),
    "shuffle": Kind(("content",), None, "each download has another order of lines"),
    "repeat": Kind(("content",), 10.0, "N percent of the lines are sent twice"),
    "missing": Kind(("content",), 10.0, "N percent of the lines are left out"),
    "stranger": Kind(("content",), 1.0, "N additional lines have an unknown custom_id"),
    "huge": Kind(("content",), 10_000_000.0, "the first line is N bytes longer"),
    "invalid-utf8": Kind(("content",), None, "the first line contains invalid UTF-8"),
    "x-incomplete": Kind(("content",), None, "X-Incomplete has the opposite value"),
    "torn": Kind(("content",), None, "the first line ends in the middle"),
}
_DELIVERIES = {
    "webhook-duplicate": Kind(("webhook",), None, "a delivery is sent twice"),
    "webhook-late": Kind(("webhook",), 5.0, "a delivery is sent N seconds late"),
    "webhook-disorder": Kind(("webhook",), None, "a delivery waits until a later one succeeded"),
    "webhook-lost": Kind(("webhook",), None, "an attempt is not sent, and counts as failed"),
}

KINDS: dict[str, Kind] = {
    **_CONNECTION,
    **_REFUSALS,
    **_JSON,
    **_BATCHES,
    **_LINES,
    **_DELIVERIES,
}
CREATE_REFUSALS_KEY = "sandbox.refusals"  # in the scope of a create: values of CREATE_REFUSALS
EARLY_CANCEL_KEY = "sandbox.early_cancel"  # in the scope of a call: cancel as if validating
CREATE_REFUSALS = ("one-window", "unverified", "capacity")  # in the order of the checks
LINE_FAULTS = frozenset(_LINES) - {"cut", "cut-announced", "cut-clean", "endless-content"}
JSON_FAULTS = frozenset(_JSON)

# Method and path of each named call; ``*`` is one id. The last one is a webhook delivery.
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
_CALL_NAMES = {method_and_path: name for name, method_and_path in CALLS.items()}
CALL_GROUPS = {"any", "read", "write"}


def call_name(method: str, path: str) -> str:
    """Return the name of a call under ``/v1`` or ``/ai/v1``, or an empty text."""
    parts = path.removeprefix("/ai").split("/")[1:]
    if len(parts) > 2:
        parts[2] = "*"
    return _CALL_NAMES.get((method, "/" + "/".join(parts)), "")

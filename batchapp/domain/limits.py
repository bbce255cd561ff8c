"""What one request file may hold, and what counts as a custom_id, before a provider refuses it."""

import re

import msgspec

ALLOWED_URLS = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/responses",
    "/v1/messages",
)
"""Compared exactly: no host, no trailing slash. Source: the server's default configuration,
control-layer 10.13."""

CUSTOM_ID_BYTES = 64
"""Source: the provider's server, control-layer 10.13, which says characters and counts bytes."""

MAX_DEPTH = 127
"""Levels of brackets, the outermost included. Source: serde_json's recursion limit, which the
provider's server reads every line with."""

HEADER_SAFE = re.compile(r"[\t\x20-\x7e]*")
"""Printable ASCII and tab: a custom_id travels as an HTTP header."""


class Limits(msgspec.Struct, frozen=True):
    """Of one connection; sizes in bytes, ``None`` for no limit."""

    max_bytes: int
    max_requests: int | None = None
    max_body_bytes: int = 10 * 1024 * 1024
    urls: tuple[str, ...] = ALLOWED_URLS

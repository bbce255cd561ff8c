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

ENVELOPE_BYTES = 1024 * 1024
"""Room for what stands around a body. A line longer than both is measured, never held."""


MAX_PROVIDER_BATCHES = 500
"""Of one upload. A page lists them all, and each is a batch of its own at the provider."""


class Limits(msgspec.Struct, frozen=True):
    """Of one connection; sizes in bytes, ``None`` for no limit.

    ``max_bytes`` and ``max_requests`` are of one file at the ``provider``: a larger upload is sent
    in parts. ``max_upload_bytes`` is the most that the portal takes.
    """

    max_bytes: int
    max_requests: int | None = None
    max_body_bytes: int = 10 * 1024 * 1024
    max_upload_bytes: int = 2 * 1024**3
    provider: str = "the provider"
    urls: tuple[str, ...] = ALLOWED_URLS
    max_gzip_ratio: int = 1_000
    """Unpacked bytes for each packed one. Deflate cannot do better than 1,032, and comes to that
    with one byte repeated; requests that share a long prompt come to some hundreds."""

    @property
    def longest_line(self) -> int:
        """Bytes of a line that can be held; one that is longer is measured only."""
        return self.max_body_bytes + ENVELOPE_BYTES

    def fits_one_batch(self, size: int, requests: int) -> bool:
        """Whether a file of ``size`` bytes and so many requests is sent as it is."""
        return size <= self.max_bytes and not self._has_too_many(requests)

    def exceeded_limits(self, size: int, requests: int) -> str:
        """What a larger file runs into, such as "50,000 requests"."""
        reasons = []
        if size > self.max_bytes:
            reasons.append(f"{self.max_bytes:,} bytes")
        if self._has_too_many(requests):
            noun = "request" if self.max_requests == 1 else "requests"
            reasons.append(f"{self.max_requests:,} {noun}")
        return " and ".join(reasons)

    def _has_too_many(self, requests: int) -> bool:
        return bool(self.max_requests) and requests > (self.max_requests or 0)

"""The limits that a provider sets on a request file, its lines and its custom_ids."""

import re

import msgspec

from batchapp.domain.model_cards import ModelCard
from batchapp.domain.money.model_patterns import ModelNames

# Compared exactly: no host, no trailing slash.
# Source: the server's default configuration, control-layer 10.13.
ALLOWED_URLS = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/responses",
    "/v1/messages",
)

# Source: the provider's server, control-layer 10.13, which says characters and counts bytes.
CUSTOM_ID_BYTES = 64

# Levels of brackets, including the outermost. Source: the recursion limit of serde_json, with
# which the provider's server reads every line.
MAX_DEPTH = 127

# A custom_id travels as an HTTP header, which takes every character beyond ASCII.
# Source: run on the provider's server, control-layer 10.13; ``HeaderValue::from_str`` there.
# Control characters except a tab, and halves of surrogate pairs, which are no characters.
FORBIDDEN_IN_ID = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")

ENVELOPE_BYTES = 1024 * 1024  # allowance per line for everything outside its body

# Per upload. A page lists all of them, and each is a batch of its own at the provider.
MAX_PROVIDER_BATCHES = 500


class Limits(msgspec.Struct, frozen=True):
    """The limits of one connection; sizes are in bytes, ``None`` means no limit.

    ``max_bytes`` and ``max_requests`` apply to one file at the ``provider``: a larger upload is
    sent in several provider batches. ``max_upload_bytes`` is the largest file that the portal
    accepts. ``max_gzip_ratio`` is unpacked bytes per packed byte. ``models`` has what is known of
    the connection's models, by name. In a sandbox no model ``thinks`` before it answers.
    """

    max_bytes: int
    max_requests: int | None = None
    max_body_bytes: int = 10 * 1024 * 1024
    max_upload_bytes: int = 2 * 1024**3
    provider: str = "the provider"
    urls: tuple[str, ...] = ALLOWED_URLS
    # The provider refuses every other field for reasoning, as Doubleword does.
    reasoning_effort_only: bool = True
    # The provider reads ``cache_control``, and refuses a request with a wrong one.
    reads_cache_markers: bool = True
    # The least tokens of a prompt that is cached, unless a price of the model says otherwise.
    # Source: the server's default, control-layer 10.13: 1,024 are cached and 1,023 are not.
    min_cached_tokens: int = 1_024
    # By the names or patterns of prices, of which some say the least tokens.
    min_cached_by_model: dict[str, int | None] = {}
    models: dict[str, ModelCard] = {}
    thinks: bool = True
    # Deflate reaches 1,032 at most, with one byte repeated; requests that share a long prompt
    # reach some hundreds.
    max_gzip_ratio: int = 1_000

    @property
    def max_line_bytes(self) -> int:
        """Return the bytes of a line that are kept in memory; a longer line is only measured."""
        return self.max_body_bytes + ENVELOPE_BYTES

    def least_cached(self, model: str) -> int:
        """Return the length from which a prompt to ``model`` is cached, in tokens."""
        name = ModelNames(self.min_cached_by_model).best_match(model)
        least = self.min_cached_by_model[name] if name else None
        return self.min_cached_tokens if least is None else least

    def fits_one_batch(self, size: int, requests: int) -> bool:
        """Return True if a file of ``size`` bytes can be sent as a single provider batch."""
        return size <= self.max_bytes and not self._has_too_many(requests)

    def exceeded_limits(self, size: int, requests: int) -> str:
        """Name the limits that a file exceeds, such as "50,000 requests"; "" if none."""
        reasons = []
        if size > self.max_bytes:
            reasons.append(f"{self.max_bytes:,} bytes")
        if self._has_too_many(requests):
            noun = "request" if self.max_requests == 1 else "requests"
            reasons.append(f"{self.max_requests:,} {noun}")
        return " and ".join(reasons)

    def _has_too_many(self, requests: int) -> bool:
        return bool(self.max_requests) and requests > (self.max_requests or 0)


def shorten_custom_id(custom_id: str, suffix: str) -> str:
    """Return ``custom_id`` with ``suffix``, cut between characters to ``CUSTOM_ID_BYTES``."""
    room = CUSTOM_ID_BYTES - len(suffix.encode())
    return custom_id.encode()[:room].decode(errors="ignore") + suffix

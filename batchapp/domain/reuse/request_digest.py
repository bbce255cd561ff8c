"""Tell requests that ask the same, whatever their custom_id and the order of their fields."""

import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

DIGEST_BYTES = 16  # of a million requests two share a digest with a probability of 10⁻²⁶
NO_REQUEST = bytes(DIGEST_BYTES)  # of a blank line

SAMPLED_BIT = 1  # of the last byte: set if the request asks for variety

# Fields that ask for several answers to choose from.
COUNT_FIELDS = ("n", "best_of")


class _Request(msgspec.Struct):
    custom_id: str
    url: str
    body: dict[str, Any]


_decode = msgspec.json.Decoder(_Request).decode


class DigestedRequest(NamedTuple):
    """One request of a checked file, and the 16 bytes that equal requests share."""

    custom_id: str
    model: str
    digest: bytes


def digest_request(line: bytes) -> DigestedRequest:
    """Digest the url and the body of ``line``, the JSON of a checked request.

    Two requests have the same digest if their JSON values are the same: white space and the order
    of fields do not count, and numbers are compared as the provider reads them.

    Raises:
        msgspec.DecodeError: ``line`` is no request.
    """
    request = _decode(line)
    canonical = msgspec.json.encode([request.url, request.body], order="sorted")
    digest = bytearray(hashlib.blake2b(canonical, digest_size=DIGEST_BYTES).digest())
    digest[-1] = digest[-1] & ~SAMPLED_BIT | _asks_for_variety(request.body)
    return DigestedRequest(request.custom_id, str(request.body.get("model")), bytes(digest))


def is_sampled(digest: bytes) -> bool:
    """Return True if the request asks for variety, see ``_asks_for_variety``."""
    return bool(digest[-1] & SAMPLED_BIT)


def split_digests(digests: bytes) -> Iterator[bytes]:
    """Yield the single digests of the lines of a file, which are stored one after another."""
    for start in range(0, len(digests), DIGEST_BYTES):
        yield digests[start : start + DIGEST_BYTES]


def _asks_for_variety(body: dict[str, Any]) -> bool:
    """Return True for a temperature above 0, or several answers in one.

    A request that does not set its temperature leaves the choice to the provider, so it does not
    ask for variety.
    """
    temperature = body.get("temperature")
    if isinstance(temperature, int | float) and temperature > 0:
        return True
    counts = [body.get(field) for field in COUNT_FIELDS]
    return any(isinstance(count, int) and count > 1 for count in counts)

"""The digests by which a later change of the audit shows.

Rows are sealed in groups. A seal has a digest of each of its rows, and one of itself, which also
covers the digest of the seal before. So whoever knows the newest digest can prove all rows before.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

ROW_DIGEST_BYTES = 32
PK_BYTES = 8
ENTRY_BYTES = PK_BYTES + ROW_DIGEST_BYTES
EPOCH, MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


class Entry(NamedTuple):
    """A row in a seal: its id, and the SHA-256 of its facts."""

    pk: int
    digest: bytes


def canonical(facts: Mapping[str, Any]) -> bytes:
    """Return ``facts`` as JSON that is the same for the same facts, on any database."""
    text = json.dumps(
        {name: _stable(value) for name, value in facts.items()},
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=True,
        allow_nan=False,
    )
    return text.encode()


def _stable(value: Any) -> Any:
    """Return a time as its microseconds since 1970, which no time zone changes."""
    if isinstance(value, datetime):
        return (value - EPOCH) // MICROSECOND
    return str(value) if isinstance(value, UUID) else value


def entry_of(pk: int, facts: Mapping[str, Any]) -> Entry:
    return Entry(pk, hashlib.sha256(canonical(facts)).digest())


def pack(entries: list[Entry]) -> bytes:
    return b"".join(entry.pk.to_bytes(PK_BYTES, "big") + entry.digest for entry in entries)


def unpack(packed: bytes) -> Iterator[Entry]:
    """Yield the entries in ``packed``; bytes at the end that are no whole entry are left out."""
    for at in range(0, len(packed) - ENTRY_BYTES + 1, ENTRY_BYTES):
        pk = int.from_bytes(packed[at : at + PK_BYTES], "big")
        yield Entry(pk, packed[at + PK_BYTES : at + ENTRY_BYTES])


def digest_of_entries(packed: bytes) -> str:
    return hashlib.sha256(packed).hexdigest()


def digest_of_seal(facts: Mapping[str, Any], previous: str) -> str:
    """Return the digest of a seal with these facts, which follows the seal ``previous``."""
    return hashlib.sha256(canonical({**facts, "previous": previous})).hexdigest()

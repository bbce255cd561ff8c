"""The same facts have the same digest, and others another one."""

from datetime import UTC, datetime, timedelta, timezone

from batchapp.domain.audit.seals import (
    Entry,
    canonical,
    digest_of_seal,
    entry_of,
    pack,
    unpack,
)


def test_the_order_of_facts_and_the_time_zone_change_no_digest() -> None:
    noon = datetime(2026, 11, 29, 12, 0, 0, 123456, tzinfo=UTC)
    elsewhere = noon.astimezone(timezone(timedelta(hours=5, minutes=30)))

    assert canonical({"a": 1, "at": noon}) == canonical({"at": elsewhere, "a": 1})
    assert canonical({"at": noon}) != canonical({"at": noon + timedelta(microseconds=1)})


def test_entries_are_read_back_as_they_were_packed() -> None:
    entries = [entry_of(pk, {"id": pk}) for pk in (1, 2**40)]

    assert list(unpack(pack(entries))) == entries
    assert list(unpack(pack(entries)[:-1])) == entries[:1]
    assert entries[0] == Entry(1, entries[0].digest)


def test_a_seal_depends_on_the_seal_before() -> None:
    assert digest_of_seal({"number": 2}, "aa") != digest_of_seal({"number": 2}, "ab")

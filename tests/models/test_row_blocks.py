"""Many rows are read in blocks, in their order, by threads in turn and without an open query."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from batchapp.models import User
from batchapp.models.row_blocks import by_key, in_order, newest_first
from tests.make import make_user
from tests.variables import ROOT

pytestmark = pytest.mark.django_db


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ten people, of whom always three joined at the same time; four rows are a block."""
    monkeypatch.setattr("batchapp.models.row_blocks.ROWS_AT_ONCE", 4)
    now = timezone.now()
    pks = []
    for number in range(10):
        pks.append(make_user().pk)
        joined = now - timedelta(hours=number // 3)
        User.objects.filter(pk=pks[-1]).update(date_joined=joined)
    return User.objects.filter(pk__gte=pks[0])


def keys(rows: Iterator[Any]) -> list[int]:
    return [row.pk for row in rows]


def test_every_row_comes_once_and_in_order(people: Any) -> None:
    expected = people.order_by("-date_joined", "-pk")
    oldest_first = people.order_by("date_joined", "pk")

    assert keys(newest_first(people, "date_joined")) == keys(expected)
    assert keys(in_order(oldest_first)) == keys(oldest_first)
    assert keys(by_key(people)) == sorted(keys(expected))
    assert len(keys(by_key(people))) == 10


def test_no_query_is_open_between_blocks(people: Any) -> None:
    """Rows that are written meanwhile are read, and deleted ones are left out."""
    first, *others = keys(people.order_by("pk"))
    ways = [in_order(people.order_by("pk")), by_key(people)]
    begun = [next(way).pk for way in ways]

    people.filter(pk=others[-1]).delete()
    with CaptureQueriesContext(connection) as asked:
        rest = [keys(way) for way in ways]

    assert begun == [first, first]
    assert rest == [others[:-1], others[:-1]]
    assert len(asked) == 2 + 3  # the last of the second way finds nothing


def test_a_row_that_is_newer_than_the_first_changes_no_page(people: Any) -> None:
    rows = newest_first(people, "date_joined")
    begun = keys(islice(rows, 5))

    new = make_user()

    expected = keys(people.exclude(pk=new.pk).order_by("-date_joined", "-pk"))
    assert [*begun, *keys(rows)] == expected


def test_only_workers_commands_and_pages_keep_a_query_open() -> None:
    """A download must not: its parts are made by several threads, while its reader may be slow."""
    using = {
        str(path.relative_to(ROOT / "batchapp"))
        for path in (ROOT / "batchapp").rglob("*.py")
        if ".iterator(" in path.read_text()
    }

    assert {path for path in using if not path.startswith(("migrations/", "sandbox/"))} == {
        "services/audit/verify_seals.py",
        "services/lifecycle/controls.py",
        "services/lifecycle/harvest/stored_results.py",
        "services/lifecycle/settle.py",
        "services/people/deactivate.py",
        "services/prices/unpriced_models.py",
        "services/results/problems.py",
        "services/results/retry_file.py",
        "services/statements/verify_statements.py",
    }

"""Find the results that new lines may change, without a model instance for each."""

from typing import Any

import pytest
from django.db import connection
from django.db.models.signals import post_init
from django.test.utils import CaptureQueriesContext

from batchapp.models import ProviderBatch, Result
from batchapp.services.lifecycle import prepare
from batchapp.services.lifecycle.harvest import match_lines, stored_results
from batchapp.services.lifecycle.harvest.stored_results import StoredResults
from tests.make import (
    answer,
    answer_line,
    error_line,
    make_batch,
    make_upload,
    request_file,
    request_line,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def answered() -> ProviderBatch:
    """Three requests, the first answered and the second failed."""
    return answer(make_batch(), [answer_line(1)], [error_line(2)])


@pytest.mark.parametrize("max_named", [0, 500])
def test_a_result_is_found_with_what_decides_whether_a_line_counts(
    answered: ProviderBatch, monkeypatch: pytest.MonkeyPatch, max_named: int
) -> None:
    monkeypatch.setattr(stored_results, "MAX_NAMED", max_named)
    results = StoredResults(answered)

    found = results.find({"row-1", "row-2", "row-3", "row-4", "row-5" * 20})

    assert {name: (row.outcome, row.line_id, row.has_line) for name, row in found.items()} == {
        "row-1": ("ok", "line-1", True),
        "row-2": ("provider_error", "line-2", True),
        "row-3": (found["row-3"].outcome, "", False),
    }
    pks = dict(answered.results.values_list("custom_id", "pk"))
    assert {name: row.pk for name, row in found.items()} == {
        name: pks[name] for name in ("row-1", "row-2", "row-3")
    }


def test_results_without_a_line_are_read_by_one_query_for_all_large_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stored_results, "MAX_NAMED", 1)
    provider_batch = make_batch(upload=make_upload(content=request_file(6))).provider_batches.get()
    prepare.prepare(provider_batch)
    results = StoredResults(provider_batch)

    with CaptureQueriesContext(connection) as queries:
        blocks = [results.find({f"row-{n}", f"row-{n + 1}"}) for n in (1, 3, 5)]

    assert [len(found) for found in blocks] == [2, 2, 2]
    assert len([query for query in queries if "SELECT" in query["sql"]]) == 1


def test_the_results_of_another_provider_batch_are_not_found(answered: ProviderBatch) -> None:
    other = ProviderBatch.objects.create(batch=answered.batch, number=2)

    assert StoredResults(other).find({"row-1", "row-3"}) == {}


def test_no_instance_is_made_to_prepare_and_harvest_a_result() -> None:
    made: list[Any] = []

    def note(instance: Result, **_: Any) -> None:
        made.append(instance)

    post_init.connect(note, sender=Result)
    try:
        answer(make_batch(), [answer_line(1), answer_line(2)], [error_line(3)])
    finally:
        post_init.disconnect(note, sender=Result)

    assert made == []


def test_a_line_fills_every_field_of_an_answer() -> None:
    fields = {*match_lines.ANSWER_FIELDS, *match_lines.CACHE_FIELDS, "result_chunk"}

    assert fields == Result.NO_ANSWER.keys()


def test_an_id_that_came_back_trimmed_or_as_a_number_finds_its_request_unless_two_fit() -> None:
    ids = ["007", " spaced  out ", "8", "08", "row-1"]
    content = "\n".join(request_line(n, custom_id=name) for n, name in enumerate(ids, start=1))
    provider_batch = make_batch(
        upload=make_upload(content=content.encode())
    ).provider_batches.get()
    prepare.prepare(provider_batch)

    found = StoredResults(provider_batch).find({"7", "spaced out", "8", "row-01", "row-1"})

    pks = dict(provider_batch.results.values_list("custom_id", "pk"))
    assert {name: row.pk for name, row in found.items()} == {
        "7": pks["007"],
        "spaced out": pks[" spaced  out "],
        "8": pks["8"],
        "row-1": pks["row-1"],
    }
    assert StoredResults(provider_batch).find({"0008"}) == {}

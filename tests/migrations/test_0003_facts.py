"""A portal of 0.1.0 keeps its sentences when it is upgraded."""

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from tests.make import make_batch

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE, AFTER = ("batchapp", "0002_parked_reason"), ("batchapp", "0003_facts")


def test_sentences_are_kept_as_they_are() -> None:
    batch = make_batch()
    batch.events.all().delete()  # the way back does not bring back the texts of events
    try:
        executor = MigrationExecutor(connection)
        executor.migrate([BEFORE])
        old = executor.loader.project_state([BEFORE]).apps
        old.get_model("batchapp", "Event").objects.create(batch_id=batch.pk, text="It began.")
        old.get_model("batchapp", "ProviderBatch").objects.update(trouble="It waits.")
        old.get_model("batchapp", "Batch").objects.update(discrepancy="One is missing.")
        key_id = old.get_model("batchapp", "ProviderKey").objects.get().pk
        old.get_model("batchapp", "WebhookDelivery").objects.create(
            key_id=key_id, message_id="m-1", kind="batch.failed", effect="already over"
        )

        executor = MigrationExecutor(connection)
        executor.migrate([AFTER])

        new = executor.loader.project_state([AFTER]).apps
        event = new.get_model("batchapp", "Event").objects.get()
        assert (event.kind, event.data) == ("note", {"text": "It began."})
        problem = new.get_model("batchapp", "ProviderBatch").objects.get().problem
        assert (problem.code, problem.data) == ("text", {"text": "It waits."})
        discrepancy = new.get_model("batchapp", "Batch").objects.get().discrepancy
        assert discrepancy == [{"text": "One is missing."}]
        assert new.get_model("batchapp", "WebhookDelivery").objects.get().effect == "over"
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(executor.loader.graph.leaf_nodes("batchapp"))

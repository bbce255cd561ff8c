"""An upgraded portal keeps what people could read in it, and cannot go back."""

import pytest
from django.db.migrations.exceptions import IrreversibleError

from batchapp.presenters.accounting_text import discrepancy_of
from batchapp.presenters.problem_text import problem_text
from tests.migrations.conftest import Migrate
from tests.migrations.rows import Rows
from tests.sentences import timeline

BEFORE, AFTER = "0002_parked_reason", "0003_facts"


def test_sentences_of_older_versions_stay_as_they_were_written(migrate: Migrate) -> None:
    upload, faulty = write_sentences(Rows(migrate(BEFORE)))

    new = Rows(migrate(AFTER))

    def problem_of(model: str, **fields: object) -> str:
        return problem_text(new.model(model).objects.get(**fields).problem)

    batch = new.model("Batch").objects.get()
    assert timeline(batch) == ["Submitted, 24 h window.", "Finished: 1 in = 1 answered."]
    assert discrepancy_of(batch).startswith("Acme counts 4 {completed}. ")
    assert problem_of("Upload", pk=faulty) == "No disk."
    assert new.model("Upload").objects.get(pk=upload).problem is None
    assert problem_of("ProviderKey") == "It was revoked."
    assert problem_of("SourceTable") == "The table is empty."
    assert problem_of("BatchImport") == "It was deleted there."
    assert problem_of("ProviderBatch") == "It waits."
    deliveries = new.model("WebhookDelivery").objects.all()
    assert [delivery.get_effect_display() for delivery in deliveries] == [
        "not a batch of this key"
    ]


def test_the_way_back_is_refused_while_there_are_facts_and_keeps_them(
    migrate: Migrate,
) -> None:
    new = Rows(migrate(AFTER))
    new.create("Event", batch=new.make_batch(), kind="submitted", data={"window": "24h"})

    with pytest.raises(IrreversibleError, match="restore a backup"):
        migrate(BEFORE)

    events = Rows(migrate(AFTER)).model("Event").objects.values_list("kind", "data")
    assert list(events) == [("submitted", {"window": "24h"})]


def write_sentences(rows: Rows) -> tuple[int, int]:
    """Make rows as older versions wrote them, and return the ids of a good and a faulty file."""
    of_project = {"project": rows.project, "connection": rows.connection}
    key = rows.create(
        "ProviderKey", **of_project, name="Key", is_refused=True, trouble="It was revoked."
    )
    faulty = rows.make_upload(status="failed", error="No disk.")
    table = {"name": "a.csv", "size": 1, "status": "refused", "error": "The table is empty."}
    rows.create("SourceTable", **table, project=rows.project, created_by=rows.user)
    rows.create(
        "BatchImport",
        **of_project,
        key=key,
        requested_by=rows.user,
        remote_id="b-1",
        name="b-1",
        status="failed",
        trouble="It was deleted there.",
    )
    batch = rows.make_batch(key=key, discrepancy="Acme counts 4 {completed}.")
    rows.create("ProviderBatch", batch=batch, trouble="It waits.")
    rows.create("WebhookDelivery", key=key, effect="not a batch of this portal")
    for text in ("Submitted, 24 h window.", "Finished: 1 in = 1 answered."):
        rows.create("Event", batch=batch, text=text)
    return rows.upload.pk, faulty.pk

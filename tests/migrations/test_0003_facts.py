"""An upgraded portal keeps what people could read in it, and cannot go back."""

from typing import Any

import pytest
from django.db.migrations.exceptions import IrreversibleError
from django.db.migrations.state import StateApps

from batchapp.models import (
    Batch,
    BatchImport,
    ProviderBatch,
    ProviderKey,
    SourceTable,
    Upload,
    WebhookDelivery,
)
from batchapp.presenters.accounting_text import discrepancy_of
from batchapp.presenters.problem_text import problem_text
from tests.make import make_batch
from tests.migrations.conftest import Migrate
from tests.sentences import timeline

BEFORE = "0002_parked_reason"


def test_sentences_of_older_versions_stay_as_they_were_written(migrate: Migrate) -> None:
    old = _Rows(migrate(BEFORE))
    old.write()

    migrate("newest")

    batch = Batch.objects.get()
    assert timeline(batch) == ["Submitted, 24 h window.", "Finished: 1 in = 1 answered."]
    assert discrepancy_of(batch).startswith("Acme counts 4 {completed}. ")
    assert problem_text(Upload.objects.get(pk=old.faulty.pk).problem) == "No disk."
    assert Upload.objects.get(pk=old.upload.pk).problem is None
    assert problem_text(ProviderKey.objects.get().problem) == "It was revoked."
    assert problem_text(SourceTable.objects.get().problem) == "The table is empty."
    assert problem_text(BatchImport.objects.get().problem) == "It was deleted there."
    assert problem_text(ProviderBatch.objects.get().problem) == "It waits."
    effects = [delivery.get_effect_display() for delivery in WebhookDelivery.objects.all()]
    assert effects == ["not a batch of this key"]


def test_the_way_back_is_refused_while_there_are_facts_and_keeps_them(
    migrate: Migrate,
) -> None:
    events = make_batch().events.values_list("kind", "data")
    before = list(events)

    with pytest.raises(IrreversibleError, match="restore a backup"):
        migrate(BEFORE)

    migrate("newest")
    assert list(events) == before


class _Rows:
    """Rows as older versions wrote them."""

    def __init__(self, old_apps: StateApps) -> None:
        self._apps = old_apps
        self.upload: Any = None
        self.faulty: Any = None

    def write(self) -> None:
        user = self._create("User", email="ann@example.com")
        acme = self._create("Connection", name="Acme", base_url="http://127.0.0.1:1/v1")
        project = self._create("Project", name="Support", slug="support", connection=acme)
        of_project = {"project": project, "connection": acme}
        key = self._create(
            "ProviderKey", **of_project, name="Key", is_refused=True, trouble="It was revoked."
        )
        file = {"project": project, "uploaded_by": user, "name": "a.jsonl", "size": 1}
        self.upload = self._create("Upload", **file, status="ready")
        self.faulty = self._create("Upload", **file, status="failed", error="No disk.")
        table = {"name": "a.csv", "size": 1, "status": "refused", "error": "The table is empty."}
        self._create("SourceTable", **table, project=project, created_by=user)
        self._create(
            "BatchImport",
            **of_project,
            key=key,
            requested_by=user,
            remote_id="b-1",
            name="b-1",
            status="failed",
            trouble="It was deleted there.",
        )
        batch = self._create(
            "Batch",
            **of_project,
            key=key,
            upload=self.upload,
            created_by=user,
            name="Tickets",
            endpoint="/v1/chat/completions",
            window="24h",
            requests=1,
            discrepancy="Acme counts 4 {completed}.",
        )
        self._create("ProviderBatch", batch=batch, trouble="It waits.")
        self._create("WebhookDelivery", key=key, effect="not a batch of this portal")
        for text in ("Submitted, 24 h window.", "Finished: 1 in = 1 answered."):
            self._create("Event", batch=batch, text=text)

    def _create(self, model: str, **fields: Any) -> Any:
        manager: Any = self._apps.get_model("batchapp", model)._default_manager
        return manager.create(**fields)

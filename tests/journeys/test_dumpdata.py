"""The rows of a portal as JSON, by Django's own commands, and back into an empty portal."""

import json
import re
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from batchapp.domain.batch_labels import Labels
from batchapp.models import Connection, ModelCost, ProviderBatch, SavedView
from batchapp.services.labels import batch_labels
from tests.answered import make_export
from tests.make import (
    OWNER,
    answer_line,
    error_line,
    finish,
    make_batch,
    make_import,
    make_invitation,
    make_key,
    make_portal_key,
    make_price,
    make_project,
    make_table,
    make_user,
)
from tests.sentences import problem

# Each database numbers its own kinds of rows and rights, which `migrate` makes.
MADE_BY_MIGRATE = ["contenttypes", "auth.permission"]


def dump() -> tuple[str, dict[tuple[str, str], Any]]:
    """Return the text of all rows, and the fields of each."""
    output = StringIO()
    call_command("dumpdata", exclude=MADE_BY_MIGRATE, stdout=output)
    # Django cuts times to milliseconds, and leaves these out only where there were none at all.
    text = re.sub(r"(T\d\d:\d\d:\d\d)\.000(?=Z|[+-])", r"\1", output.getvalue())
    return text, {(row["model"], str(row["pk"])): row["fields"] for row in json.loads(text)}


def fill() -> None:
    """Make a row of nearly each kind, with prices, costs and problems."""
    ada = make_user("ada@example.com", first_name="Ada")
    project = make_project(ada, role=OWNER)
    key = make_key(project)
    for window in ("24h", "1h", "realtime"):
        make_price(project.connection, window, Decimal("0.05"), Decimal("0.20"))
    batch = make_batch(project, ada, key=key)
    batch_labels.set_labels(batch, ada, Labels(["night"], "CC-1"))
    finish(batch, [answer_line(1), answer_line(2)], [error_line(3)])
    make_export(batch)
    stopped = make_batch(project, ada, key=key).provider_batches.get()
    parked = ProviderBatch.Parked.NEEDS_ATTENTION
    ProviderBatch.objects.filter(pk=stopped.pk).update(
        parked_reason=parked, problem=problem("No credit."), next_check_at=None
    )
    make_table(project, ada)
    make_import(project, ada)
    make_invitation(project)
    make_portal_key(ada, project)
    SavedView.objects.create(owner=ada, name="Late", filter_values={"status": "failed"})


@pytest.mark.django_db(transaction=True)
def test_every_row_of_a_portal_survives_a_dump_and_a_load(tmp_path: Path) -> None:
    fill()
    assert ModelCost.objects.exclude(cost_usd=None).exists()
    text, before = dump()
    (file := tmp_path / "rows.json").write_text(text)

    call_command("flush", interactive=False, verbosity=0)
    Connection.objects.all().delete()  # a new portal has one, maybe under another number
    call_command("loaddata", str(file), verbosity=0)

    _, after = dump()
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    assert changed == set()
    # A row that is made next does not take the number of a loaded one.
    assert make_user().pk not in {int(pk) for model, pk in before if model == "batchapp.user"}

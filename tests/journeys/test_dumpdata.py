"""The rows of a portal as JSON, by Django's own commands, and back into an empty portal."""

import json
import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from batchapp.models import Connection, ModelCost
from tests.full_portal import fill_portal
from tests.make import make_user

# Each database numbers its own kinds of rows and rights, which `migrate` makes.
MADE_BY_MIGRATE = ["contenttypes", "auth.permission"]


def dump() -> tuple[str, dict[tuple[str, str], Any]]:
    """Return the text of all rows, and the fields of each."""
    output = StringIO()
    call_command("dumpdata", exclude=MADE_BY_MIGRATE, stdout=output)
    # Django cuts times to milliseconds, and leaves these out only where there were none at all.
    text = re.sub(r"(T\d\d:\d\d:\d\d)\.000(?=Z|[+-])", r"\1", output.getvalue())
    return text, {(row["model"], str(row["pk"])): row["fields"] for row in json.loads(text)}


@pytest.mark.django_db(transaction=True)
def test_every_row_of_a_portal_survives_a_dump_and_a_load(tmp_path: Path) -> None:
    fill_portal()
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

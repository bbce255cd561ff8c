"""The way back keeps a portal from a version that cannot show what was deleted."""

import pytest
from django.db.migrations.exceptions import IrreversibleError

from tests.migrations.conftest import Migrate
from tests.migrations.rows import Rows

BEFORE, AFTER = "0012_exports", "0013_retention"


def test_a_portal_that_deleted_content_cannot_go_back(migrate: Migrate) -> None:
    new = Rows(migrate(AFTER))
    new.create("Purge", batch=new.make_batch(status="completed"))

    with pytest.raises(IrreversibleError):
        migrate(BEFORE)

    purges = Rows(migrate(AFTER)).model("Purge").objects.all()
    assert purges.delete()[0] == 1
    migrate(BEFORE)

"""The way back keeps a portal from a version that cannot show what was deleted."""

import pytest
from django.db.migrations.exceptions import IrreversibleError

from batchapp.models import Purge
from batchapp.services.archive import purge
from tests.make import finish, make_batch
from tests.migrations.conftest import Migrate

BEFORE = "0012_exports"


def test_a_portal_that_deleted_content_cannot_go_back(migrate: Migrate) -> None:
    purge.start_purge([finish(make_batch())])

    with pytest.raises(IrreversibleError):
        migrate(BEFORE)

    Purge.objects.all().delete()
    migrate(BEFORE)

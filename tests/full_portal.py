"""A portal that has a row of nearly each kind."""

from decimal import Decimal

from batchapp.domain.batch_labels import Labels
from batchapp.models import ProviderBatch, SavedView
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


def fill_portal() -> None:
    """Make the rows, with prices, costs and problems."""
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

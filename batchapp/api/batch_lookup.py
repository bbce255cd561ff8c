"""Read one batch for the API by prepared queries, since scripts ask for it all the time."""

from collections.abc import Sequence
from functools import cache
from uuid import UUID

from batchapp.api.batch_object import READ_COLUMNS, with_api_columns
from batchapp.models import Batch, PortalKey, ProviderBatch, User
from batchapp.models.portal_keys.key_holder import holder_of, holder_values
from batchapp.models.prepared_query import Parameter, PreparedQuery


def find_batch(
    user: User, key: PortalKey, pk: UUID
) -> tuple[Batch, Sequence[ProviderBatch]] | None:
    """Return the batch with its provider batches, if ``user`` may see it by ``key``."""
    batch = _visible_batch(key.scope).first(pk=pk, **holder_values(user, key))
    return (batch, _provider_batches.all(batch=pk)) if batch else None


@cache
def _visible_batch(scope: str) -> PreparedQuery[Batch]:
    rows = Batch.objects.visible_to(holder_of(scope))
    return PreparedQuery(
        lambda: with_api_columns(rows).filter(pk=Parameter("pk", Batch._meta.pk)).order_by()
    )


_provider_batches = PreparedQuery(
    lambda: (
        ProviderBatch.objects.only(*READ_COLUMNS)
        .filter(batch=Parameter("batch", Batch._meta.pk))
        .order_by("number")
    )
)

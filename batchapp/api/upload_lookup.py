"""Read one file for the API by prepared queries, since scripts ask for it all the time."""

from functools import cache
from uuid import UUID

from batchapp.models import PortalKey, Upload, User
from batchapp.models.portal_keys.key_holder import holder_of, holder_values
from batchapp.models.prepared_query import Parameter, PreparedQuery

DESCRIBED = ("size", "created_at", "name", "status", "project", "uploaded_by__email")


def find_upload(user: User, key: PortalKey, pk: UUID) -> Upload | None:
    """Return the file with its project and person, if ``user`` may see it by ``key``."""
    return _visible_upload(key.scope).first(pk=pk, **holder_values(user, key))


def find_described(user: User, key: PortalKey, pk: UUID) -> Upload | None:
    """Return the file with what its description needs alone."""
    row = _described_upload(key.scope).first(pk=pk, **holder_values(user, key))
    if row and row.project_id == key.project_id:
        row.project = key.project  # loaded with the key
    return row


@cache
def _visible_upload(scope: str) -> PreparedQuery[Upload]:
    rows = Upload.objects.visible_to(holder_of(scope)).filter(pk=_PK).order_by()
    return PreparedQuery(lambda: rows.select_related("project__connection", "uploaded_by"))


@cache
def _described_upload(scope: str) -> PreparedQuery[Upload]:
    rows = Upload.objects.visible_to(holder_of(scope)).filter(pk=_PK).order_by()
    return PreparedQuery(lambda: rows.select_related("uploaded_by").only(*DESCRIBED))


_PK = Parameter("pk", Upload._meta.pk)

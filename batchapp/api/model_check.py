"""Refuse an order for a model that does not exist, before a script waits for it."""

from datetime import timedelta

from django.utils import timezone

from batchapp import access
from batchapp.domain.missing_models import missing_models
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import Connection, ProviderKey, UnreadableKey, Upload, User
from batchapp.pipeline import provider_access
from batchapp.providers.errors import ProviderError

TIMEOUT = timedelta(seconds=5)  # a script waits for the answer


def require_offered_models(upload: Upload, user: User) -> None:
    """Refuse ``upload`` if the provider does not list a model of its requests.

    The provider is asked only for models that have neither a price nor a description in the
    portal. If it gives no list, the order is taken, and the step that sends it tells.

    Raises:
        NotAllowed: the provider was not asked.
        Refused: the provider does not list a model, or there is no provider key.
    """
    project = upload.project
    access.require_write(user, project)
    unknown = _unknown_models(upload, project.connection)
    if not unknown:
        return
    key = ProviderKey.objects.for_scripts(user, project)
    try:
        with provider_access.provider_client(key, timeout=TIMEOUT) as provider:
            offered = provider.list_models()
    except (ProviderError, UnreadableKey):
        return
    if missing := missing_models(unknown, offered):
        raise Refused(
            Refusal.MODEL_NOT_OFFERED,
            connection=project.connection.name,
            models=list(missing),
            near=next(iter(missing.values())),
        )


def _unknown_models(upload: Upload, connection: Connection) -> list[str]:
    models = set(upload.report.models) if upload.report else set()
    models -= connection.offered_models.cards(models).keys()
    if models:
        prices = connection.prices.in_force(timezone.now()).filter(model__in=models)
        models -= set(prices.values_list("model", flat=True))
    return sorted(models)

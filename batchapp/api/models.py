"""The models that a portal key may name in requests."""

from typing import Any

from django.db.models import Min
from django.http import HttpResponse
from ninja import Router

from batchapp.api.errors import not_found
from batchapp.api.responses import unchanged_or_json
from batchapp.api.schemas.models import ModelList, ModelObject
from batchapp.api.scopes import Scope, key_of, needs
from batchapp.http import Request
from batchapp.models import PortalKey
from batchapp.presenters.model_choices import model_choices

router = Router(tags=["Models"])


@router.get("/models", response={200: ModelList}, **needs(Scope.READ))
def model_list(request: Request) -> HttpResponse:
    """List all models that the project's connection offers and the key allows, without pages."""
    return unchanged_or_json(request, {"object": "list", "data": _models(key_of(request))})


@router.get("/models/{path:model}", response={200: ModelObject}, **needs(Scope.READ))
def model_detail(request: Request, model: str) -> HttpResponse:
    """Describe one model."""
    for row in _models(key_of(request)):
        if row["id"] == model:
            return unchanged_or_json(request, row)
    raise not_found(
        f"The model {model!r} is not offered here, or not to this portal key.",
        "model_not_found",
        param="model",
    )


def _models(key: PortalKey) -> list[dict[str, Any]]:
    """Return the models with a price or a card, by name."""
    connection = key.project.connection
    known_since = dict(
        connection.prices.order_by().values_list("model").annotate(Min("effective_from"))
    )
    return [
        {
            "id": choice.model,
            "object": "model",
            # Unix seconds, as the form wants them: since when the portal has a price.
            "created": int(since.timestamp()) if (since := known_since.get(choice.model)) else 0,
            "owned_by": choice.model.partition("/")[0] if "/" in choice.model else connection.name,
        }
        for choice in model_choices(connection)
        if key.allows_model(choice.model)
    ]

"""Find the models that a provider does not offer, with the names that were probably meant."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches


def missing_models(models: Iterable[str], offered: Collection[str]) -> dict[str, str | None]:
    """Return model -> most similar name among ``offered``, for each model that is not offered.

    None stands for a model without a similar one. Nothing is missing if ``offered`` is empty,
    since some providers list no models.
    """
    if not offered:
        return {}
    known = set(offered)
    return {
        model: next(iter(get_close_matches(model, offered, n=1)), None)
        for model in models
        if model not in known
    }

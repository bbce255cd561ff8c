"""The sentences on the test of a connection."""

from django.contrib.messages import constants

from batchapp.models import Connection
from batchapp.pipeline.provider_access import Trial
from batchapp.templatetags.words import count

NOT_FOUND = 404


def test_message(connection: Connection, trial: Trial) -> tuple[int, str]:
    """Return the level and the text of the message after a test."""
    milliseconds = f"{trial.seconds * 1000:,.0f} ms"
    if trial.error:
        return constants.ERROR, (
            f"{connection} gives no usable answer at {trial.address or connection.base_url}. "
            f"Check the address, and whether the portal may reach it. ({trial.error})"
        )
    if trial.models is not None:
        key = "accepts the platform key" if trial.had_key else "asks for no key"
        return constants.SUCCESS, (
            f"{connection} answers at {trial.address} in {milliseconds}, {key}, and lists "
            f"{count(trial.models, 'model')}."
        )
    if trial.had_key:
        return constants.WARNING, (
            f"{connection} answers at {trial.address} in {milliseconds}, and refuses the platform "
            f"key (HTTP {trial.status}). Enter it again, or remove it."
        )
    if trial.status == NOT_FOUND:
        return constants.WARNING, (
            f"{connection} answers in {milliseconds}, but has no list of models at "
            f"{trial.address}/models. Check with which path its address ends. (HTTP 404)"
        )
    return constants.SUCCESS, (
        f"{connection} answers at {trial.address} in {milliseconds}. It was asked without a key, "
        f"so the answer was HTTP {trial.status}; test a provider key on the page of a project."
    )

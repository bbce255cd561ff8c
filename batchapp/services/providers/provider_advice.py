"""What a person should do about a provider's answer, as sentences."""

from batchapp.models import Connection
from batchapp.providers.errors import ProviderRejected, Reason

_NEXT_STEPS = {
    Reason.KEY_REFUSED: (
        "{connection} refused the key: it is wrong, revoked, or of the wrong kind. "
        "Replace the key or choose another, then try again."
    ),
    Reason.NO_CREDIT: (
        "The account at {connection} has no credits left, or the key reached its spending cap. "
        "Add credits there, then try again. Nothing was submitted twice."
    ),
    Reason.FORBIDDEN: (
        "{connection} does not offer this to the key. Correct the model in the file and upload it "
        "again, or choose a key that may use it and try again."
    ),
    Reason.NOT_FOUND: (
        "{connection} no longer knows this batch or its file, or never did under this key. "
        "Check that the key is the one it was created with, then try again; or cancel, and what "
        "was fetched so far is kept."
    ),
    Reason.GONE: (
        "{connection} has deleted this for good. Cancel to close the batch; what was fetched so "
        "far is kept."
    ),
    Reason.TOO_LARGE: (
        "The file is larger than {connection} accepts. Split it and upload the pieces."
    ),
    Reason.INVALID: (
        "{connection} did not accept the request. Correct the file and upload it again, or cancel."
    ),
}


_OF_WHAT_IS_THERE = {
    Reason.FORBIDDEN: (
        "{connection} does not let the key look at this batch or change it. Give the key that "
        "right there, then try again; or cancel, and what was fetched so far is kept."
    ),
    Reason.INVALID: (
        "{connection} did not accept the question about this batch. Try again; or cancel, and "
        "what was fetched so far is kept."
    ),
}


def advice_for(refusal: ProviderRejected, connection: Connection, *, is_sent: bool = False) -> str:
    """What happened and what to do next, with the provider's own words at the end.

    Of what ``is_sent`` no file can be corrected any more.
    """
    steps = _NEXT_STEPS | _OF_WHAT_IS_THERE if is_sent else _NEXT_STEPS
    advice = steps[refusal.reason].format(connection=connection)
    return f"{advice} ({connection} said: {refusal.message})" if refusal.message else advice

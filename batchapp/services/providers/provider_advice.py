"""Advise a person what to do about a provider's refusal."""

from batchapp.domain.problem import Problem, ProblemCode
from batchapp.models import Connection, Project, ProviderKey
from batchapp.providers.errors import About, ProviderRejected, ProviderUnavailable, Reason

_ADVICE = {
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
    Reason.WINDOW_UNSUPPORTED: (
        "{connection} does not run this file in the completion window that was chosen. Cancel, "
        "and submit the file in another one."
    ),
    Reason.INVALID: (
        "{connection} did not accept the request. Correct the file and upload it again, or cancel."
    ),
}

# Once the batch is at the provider, its file cannot be corrected any more.
_ADVICE_ONCE_SENT = _ADVICE | {
    Reason.FORBIDDEN: (
        "{connection} does not let the key read or change this batch. Give the key that "
        "right there, then try again; or cancel, and what was fetched so far is kept."
    ),
    Reason.INVALID: (
        "{connection} did not accept the request about this batch. Try again; or cancel, and "
        "what was fetched so far is kept."
    ),
}

_ADVICE_FINAL = {
    About.FILE: (
        "{connection} keeps refusing one line of the file. Correct the line and upload the file "
        "again, or try again if what the line names can be reached now."
    ),
    About.ACCOUNT: (
        "The file is larger than the account at {connection} may send. Have the limit raised "
        "there and try again, or split the file into smaller ones."
    ),
}


def advice_for_final(refusal: ProviderUnavailable, connection: Connection) -> str:
    """Return what to do if waiting does not help, and then the provider's own words."""
    advice = _ADVICE_FINAL[refusal.about].format(connection=connection)
    return f"{advice} ({connection} said: {refusal.message})" if refusal.message else advice


def advice_for(refusal: ProviderRejected, connection: Connection, *, is_sent: bool = False) -> str:
    """Return what happened and the next step, and then the provider's own words.

    ``is_sent`` says that the provider has the batch.
    """
    advice = (_ADVICE_ONCE_SENT if is_sent else _ADVICE)[refusal.reason]
    advice = advice.format(connection=connection)
    return f"{advice} ({connection} said: {refusal.message})" if refusal.message else advice


def advice_for_owner(
    key: ProviderKey, project: Project, *, is_sent: bool, is_over: bool = False
) -> str:
    """Say whose key pays for nothing more in ``project``, and what to do.

    ``is_sent`` says that the provider has the batch, which it shows to no other key, and
    ``is_over`` that the batch is over.
    """
    why = f"is no longer a member of {project}"
    if key.user and not key.user.is_active:
        why = "has no active account any more"
    text = f"The batch uses a key of {key.user}, who {why}, so "
    if not is_sent:
        return f"{text}nothing more is sent on it. Try again with another key, or cancel."
    first = "Retry its" if is_over else "Cancel it, then retry its"
    text += f"stopped requests cannot run on it again. {first} requests as a new batch on another"
    return f"{text} key."


def rejection_problem(
    refusal: ProviderRejected, connection: Connection, *, is_sent: bool = False
) -> Problem:
    """Return the facts of a rejection, with the provider's own words.

    ``is_sent`` says that the provider has the batch.
    """
    data = {"connection": connection.name, "said": refusal.message, "is_sent": is_sent}
    return Problem(ProblemCode(refusal.reason.value), data)

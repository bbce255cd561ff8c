"""Keep as a problem of a row that its provider, or the owner of its key, lets nothing more run."""

from batchapp.domain.problem import Problem, ProblemCode
from batchapp.models import Connection, MovedKey, Project, ProviderKey, UnreadableKey
from batchapp.providers.errors import About, ProviderRejected, ProviderUnavailable

FINAL_CODES = {
    About.FILE: ProblemCode.LINE_REFUSED,
    About.ACCOUNT: ProblemCode.OVER_ACCOUNT_LIMIT,
    About.FILE_NOT_READY: ProblemCode.FILE_STAYS_UNREADY,
}


def rejection_problem(
    refusal: ProviderRejected, connection: Connection, *, is_sent: bool = False
) -> Problem:
    """Return the facts of a rejection, with the provider's own words.

    ``is_sent`` says that the provider has the batch, so that its file cannot be corrected.
    """
    data = {"connection": connection.name, "said": refusal.message, "is_sent": is_sent}
    return Problem(ProblemCode(refusal.reason.value), data)


def final_problem(refusal: ProviderUnavailable, connection: Connection) -> Problem:
    """Return the facts of a refusal that is about the file or the account, and does not pass."""
    data = {"connection": connection.name, "said": refusal.message, "is_sent": False}
    return Problem(FINAL_CODES[refusal.about], data)


def unreadable_problem(error: UnreadableKey, connection: Connection) -> Problem:
    """Return the facts of a stored key that cannot be read, or must not be sent."""
    if isinstance(error, MovedKey):
        return Problem(ProblemCode.KEY_MOVED, {"connection": connection.name})
    return Problem(ProblemCode.KEY_UNREADABLE)


def owner_problem(
    key: ProviderKey, project: Project, *, is_sent: bool, is_over: bool = False
) -> Problem:
    """Return whose key pays for nothing more in ``project``.

    ``is_sent`` says that the provider has or may have the batch, which it shows to no other key,
    and ``is_over`` that the batch is over.
    """
    is_deactivated = bool(key.user and not key.user.is_active)
    data = {"owner": str(key.user), "project": project.name, "is_deactivated": is_deactivated}
    return Problem(ProblemCode.KEY_PAYS_NO_MORE, data | {"is_sent": is_sent, "is_over": is_over})

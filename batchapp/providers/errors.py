"""The errors of a provider, named by the reaction of the caller.

    ProviderError
    ├── ProviderUnavailable   try again later; search before repeating if ``maybe_done``
    │   ├── NoCapacity        the same, for a batch that the provider cannot take now
    │   └── TooMuchContent    stop reading the file: it may have no end
    └── ProviderRejected      do not repeat: a person or another request has to change something

The text of every error begins with the action that failed, and never contains the key.
"""

from datetime import timedelta
from enum import StrEnum


class Reason(StrEnum):
    """The reason of a rejection: one value for each reaction of a caller."""

    KEY_REFUSED = "key_refused"
    NO_CREDIT = "no_credit"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    GONE = "gone"
    TOO_LARGE = "too_large"
    WINDOW_UNSUPPORTED = "window_unsupported"  # here, or for a model; another window may do
    UNREADABLE = "unreadable"  # accepted, by its status, but with an answer that names nothing
    INVALID = "invalid"

    @classmethod
    def of(cls, status: int) -> "Reason":
        """Return the meaning of a 4xx status; INVALID for a status without a reason of its own.

        ``refusals.reason_of`` also reads the message, for WINDOW_UNSUPPORTED.
        """
        return _REASONS.get(status, cls.INVALID)


class About(StrEnum):
    """The subject of a refusal with which the provider calls itself unavailable.

    PROVIDER: waiting helps. FILE: a line is refused, such as an image whose address never answers,
    so the file is refused again unless that address comes back. ACCOUNT: the limit is smaller than
    the request, so waiting never helps; a longer completion window may have a larger limit.
    UNREADABLE: a create was taken, but its answer names no batch, so that a person has to decide
    whether it is made again. ROOM: other batches have to end first. FILE_NOT_READY: the provider
    still works on the file.
    """

    PROVIDER = "provider"
    FILE = "file"
    ACCOUNT = "account"
    UNREADABLE = "unreadable"
    ROOM = "room"
    FILE_NOT_READY = "file_not_ready"


KEY_REASONS = frozenset({Reason.KEY_REFUSED, Reason.NO_CREDIT})  # for any request with this key

_REASONS = {
    401: Reason.KEY_REFUSED,
    402: Reason.NO_CREDIT,
    403: Reason.FORBIDDEN,
    404: Reason.NOT_FOUND,
    410: Reason.GONE,
    413: Reason.TOO_LARGE,
}


class ProviderError(Exception):
    """A call to a provider got no usable answer."""


class ProviderUnavailable(ProviderError):
    """No answer, 408, 409, 429, 5xx, a redirect, or an answer that does not follow the API.

    So is a 4xx whose words say that it passes: no room, or a file that is not ready.

    Attributes:
        retry_after: the wait that the provider asks for, one second to one hour, or None.
        maybe_done: False only if the request certainly changed nothing: it was not sent, or the
            provider refused it unprocessed. True after a timeout, a broken connection, a 5xx or
            a malformed answer: the batch may exist, so search for it before creating.
        status: the HTTP status, None without an answer.
        message: the provider's own sentence, as in ``ProviderRejected``.
        about: the subject of the refusal; if it is not PROVIDER, waiting alone does not help.
    """

    def __init__(
        self,
        sentence: str,
        *,
        retry_after: timedelta | None = None,
        maybe_done: bool = True,
        status: int | None = None,
        message: str = "",
        about: About = About.PROVIDER,
    ) -> None:
        super().__init__(sentence)
        self.about = about
        self.retry_after = retry_after
        self.maybe_done = maybe_done
        self.status = status
        self.message = message


class NoCapacity(ProviderUnavailable):
    """The provider takes no more batches for now, or, by ``about``, none as large as this.

    No batch was created.
    """

    def __init__(self, refusal: ProviderUnavailable) -> None:
        super().__init__(
            str(refusal),
            retry_after=refusal.retry_after,
            maybe_done=False,
            status=refusal.status,
            message=refusal.message,
            about=refusal.about,
        )


class TooMuchContent(ProviderUnavailable):
    """A file has more bytes than the caller allows; the lines before are good."""


class ProviderRejected(ProviderError):
    """The provider refused the request: a 4xx other than 408, 409 and 429, or for want of money.

    So is a create that was answered 2xx, but with an error.

    Attributes:
        reason: the meaning of ``status``, the HTTP status, and for some of the message.
        message: the provider's own sentence, plain text of at most 500 characters; "" if the
            answer has no readable sentence.
    """

    def __init__(
        self, sentence: str, status: int, message: str = "", reason: Reason | None = None
    ) -> None:
        # All arguments, so that the error can be pickled.
        super().__init__(sentence, status, message, reason)
        self.status = status
        self.reason = reason or Reason.of(status)
        self.message = message

    def __str__(self) -> str:
        return str(self.args[0])


def file_not_ready(refusal: ProviderRejected) -> ProviderUnavailable:
    """Return ``refusal`` as the word that the provider does not know a new file yet."""
    return ProviderUnavailable(
        str(refusal),
        maybe_done=False,
        status=refusal.status,
        message=refusal.message,
        about=About.FILE_NOT_READY,
    )

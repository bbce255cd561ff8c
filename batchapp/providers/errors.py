"""What can go wrong with a provider, named by what the caller must do.

    UpstreamError
    ├── UpstreamUnavailable   try again later; look before repeating if ``maybe_done``
    │   └── NoRoom            the same, of a batch that there is no room for
    └── UpstreamRejected      do not repeat: a person or another request has to change something

Every error reads as a sentence that starts with what was being done and never holds the key.
"""

from datetime import timedelta
from enum import StrEnum


class Reason(StrEnum):
    """Why a provider said no: one value per reaction a caller may have."""

    KEY_REFUSED = "key_refused"
    NO_CREDIT = "no_credit"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    GONE = "gone"
    TOO_LARGE = "too_large"
    INVALID = "invalid"

    @classmethod
    def of(cls, status: int) -> "Reason":
        """What an HTTP status of 4xx means; INVALID for those without a name of their own."""
        return _REASONS.get(status, cls.INVALID)


ABOUT_KEYS = frozenset({Reason.KEY_REFUSED, Reason.NO_CREDIT})
"""What would be said of any request with the same key."""

_REASONS = {
    401: Reason.KEY_REFUSED,
    402: Reason.NO_CREDIT,
    403: Reason.FORBIDDEN,
    404: Reason.NOT_FOUND,
    410: Reason.GONE,
    413: Reason.TOO_LARGE,
}


class ProviderError(Exception):
    """A call to a provider that brought no usable answer."""


class ProviderUnavailable(ProviderError):
    """No answer, 408, 409, 429, 5xx, a redirect, or an answer that is not what the API speaks.

    Attributes:
        retry_after: how long the provider asks us to wait, one second to one hour; None if it
            did not say.
        maybe_done: False only if the request certainly changed nothing: it never left, or was
            turned away before it was acted on. True after a timeout, a broken connection, a
            5xx or a garbled answer: the batch may exist, so search for it before creating.
        status: the HTTP status, None if no answer came.
        message: the provider's own sentence, as in ``UpstreamRejected``.
    """

    def __init__(
        self,
        sentence: str,
        *,
        retry_after: timedelta | None = None,
        maybe_done: bool = True,
        status: int | None = None,
        message: str = "",
    ) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after
        self.maybe_done = maybe_done
        self.status = status
        self.message = message


class NoRoom(ProviderUnavailable):
    """A batch was not created because the provider takes no more for now; nothing was done."""

    def __init__(self, refusal: ProviderUnavailable) -> None:
        super().__init__(
            str(refusal),
            retry_after=refusal.retry_after,
            maybe_done=False,
            status=refusal.status,
            message=refusal.message,
        )


class ProviderRejected(ProviderError):
    """The provider understood and refused: a 4xx other than 408, 409 and 429.

    Attributes:
        status: the HTTP status.
        reason: what that status means.
        message: the provider's own sentence, plain text of at most 500 characters; "" if it
            gave none that a person could read.
    """

    def __init__(self, sentence: str, status: int, message: str = "") -> None:
        super().__init__(sentence, status, message)  # all of them, so that it can be pickled
        self.status = status
        self.reason = Reason.of(status)
        self.message = message

    def __str__(self) -> str:
        return str(self.args[0])

"""The ways in which an attempt to deliver a message ends."""

from enum import StrEnum, unique


@unique
class AttemptError(StrEnum):
    """Why an attempt did not deliver; ``presenters/webhook_text.py`` has the sentences."""

    ADDRESS_INVALID = "address_invalid"  # no plain http(s) address, or of a refused port
    NAME_UNKNOWN = "name_unknown"
    ADDRESS_FORBIDDEN = "address_forbidden"  # not public, and not allowed by the operator
    NOT_CONNECTED = "not_connected"
    TLS_FAILED = "tls_failed"
    TOO_SLOW = "too_slow"
    BROKE_OFF = "broke_off"
    REDIRECTED = "redirected"
    GONE = "gone"
    REFUSED = "refused"  # any other status than 2xx
    UNREADABLE = "unreadable"  # the stored address or secret cannot be decrypted

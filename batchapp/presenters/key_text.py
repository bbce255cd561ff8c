"""The sentences on keys that are stored and cannot be used."""

from batchapp.models import MovedKey, UnreadableKey


def unreadable_key_text(error: UnreadableKey) -> str:
    """Return why a stored key cannot be sent, and the next step."""
    if isinstance(error, MovedKey):
        return (
            "The connection got another address after this key was entered, and the key is sent "
            "to no address that it was not entered for. Replace it."
        )
    return "The stored key cannot be read any more. Replace it."


def unreadable_platform_key_text(error: UnreadableKey) -> str:
    """Return why a stored platform key cannot be sent, and the next step."""
    if isinstance(error, MovedKey):
        return (
            "The connection got another address after its platform key was entered, and the key "
            "is not sent there. Paste the key."
        )
    return "The stored platform key cannot be read any more. Paste it."

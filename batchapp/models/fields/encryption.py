"""Secrets, encrypted at rest with the first of ``ENCRYPTION_KEYS``."""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class UnreadableKey(Exception):
    """The stored secret was encrypted with a key that ``ENCRYPTION_KEYS`` no longer holds."""


def seal(secret: str) -> str:
    return _fernet().encrypt(secret.encode()).decode()


def unseal(ciphertext: str) -> str:
    """Return what was sealed.

    Raises:
        UnreadableKey: nothing in ``ENCRYPTION_KEYS`` opens it.
    """
    try:
        return _fernet().decrypt(ciphertext.encode()).decode()
    except InvalidToken as exc:
        raise UnreadableKey(f"{len(ciphertext)} characters") from exc


def reseal(ciphertext: str) -> str:
    """Encrypt again with the first of ``ENCRYPTION_KEYS``.

    Raises:
        UnreadableKey: as ``unseal``.
    """
    try:
        return _fernet().rotate(ciphertext.encode()).decode()
    except InvalidToken as exc:
        raise UnreadableKey(f"{len(ciphertext)} characters") from exc


def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.ENCRYPTION_KEYS])

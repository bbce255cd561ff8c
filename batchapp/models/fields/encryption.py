"""Encrypt the secrets that are stored in the database."""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class UnreadableKey(Exception):
    """No key in ``ENCRYPTION_KEYS`` decrypts the stored secret."""


def seal(secret: str) -> str:
    """Encrypt ``secret`` with the first of ``ENCRYPTION_KEYS``."""
    return _fernet().encrypt(secret.encode()).decode()


def unseal(ciphertext: str) -> str:
    """Decrypt ``ciphertext``, or raise ``UnreadableKey``."""
    try:
        return _fernet().decrypt(ciphertext.encode()).decode()
    except InvalidToken as exc:
        raise UnreadableKey(f"{len(ciphertext)} characters") from exc


def reseal(ciphertext: str) -> str:
    """Encrypt again with the first of ``ENCRYPTION_KEYS``, or raise ``UnreadableKey``."""
    try:
        return _fernet().rotate(ciphertext.encode()).decode()
    except InvalidToken as exc:
        raise UnreadableKey(f"{len(ciphertext)} characters") from exc


def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.ENCRYPTION_KEYS])

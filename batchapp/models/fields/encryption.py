"""Encrypt the secrets that are stored in the database, each bound to where it may be sent."""

from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models

from batchapp.providers.errors import ProviderUnavailable
from batchapp.providers.http import root_url

SEPARATOR = "\n"  # between address and secret; neither can contain this character


class UnreadableKey(Exception):
    """No key in ``ENCRYPTION_KEYS`` decrypts the stored secret."""


class MovedKey(UnreadableKey):
    """The stored secret was entered for another address than its connection has now.

    The secret is sent to no other address, whoever changed the address and by whatever way:
    the address is encrypted together with the secret.
    """


class SecretField(models.TextField):  # type: ignore[type-arg]  # not subscriptable at run time
    """A column with a ciphertext; ``manage.py rotate_keys`` encrypts all such columns again."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("blank", True)
        kwargs.setdefault("editable", False)
        super().__init__(*args, **kwargs)


def seal(secret: str) -> str:
    """Encrypt ``secret`` with the first of ``ENCRYPTION_KEYS``."""
    return _fernet().encrypt(secret.encode()).decode()


def unseal(ciphertext: str) -> str:
    """Decrypt ``ciphertext``, or raise ``UnreadableKey``."""
    try:
        return _fernet().decrypt(ciphertext.encode()).decode()
    except InvalidToken as exc:
        raise UnreadableKey(f"{len(ciphertext)} characters") from exc


def seal_for(base_url: str, secret: str) -> str:
    """Encrypt ``secret`` for the provider at ``base_url`` and for no other address."""
    return seal(f"{_address(base_url)}{SEPARATOR}{secret}")


def unseal_for(base_url: str, ciphertext: str) -> str:
    """Decrypt a secret that was entered for the provider at ``base_url``.

    Raises:
        MovedKey: it was entered for another address.
        UnreadableKey: no key of ``ENCRYPTION_KEYS`` decrypts it.
    """
    address, separator, secret = unseal(ciphertext).partition(SEPARATOR)
    if not separator or address != _address(base_url):
        raise MovedKey(f"{len(ciphertext)} characters")
    return secret


def same_address(base_url: str, other: str) -> bool:
    """Return True if a key for ``base_url`` may be sent to ``other``."""
    return _address(base_url) == _address(other)


def reseal(ciphertext: str) -> str:
    """Encrypt again with the first of ``ENCRYPTION_KEYS``, or raise ``UnreadableKey``."""
    try:
        return _fernet().rotate(ciphertext.encode()).decode()
    except InvalidToken as exc:
        raise UnreadableKey(f"{len(ciphertext)} characters") from exc


def is_sealed_with_newest_key(ciphertext: str) -> bool:
    """Return True if the first of ``ENCRYPTION_KEYS`` decrypts ``ciphertext``."""
    try:
        Fernet(settings.ENCRYPTION_KEYS[0]).decrypt(ciphertext.encode())
    except InvalidToken:
        return False
    return True


def _address(base_url: str) -> str:
    """Return the address as the client reads it, which is equal for all its spellings."""
    try:
        return str(root_url(base_url))
    except ProviderUnavailable:  # no address: the client sends nothing there
        return base_url.replace(SEPARATOR, " ")


def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.ENCRYPTION_KEYS])

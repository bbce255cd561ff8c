"""Who is calling: each inference key is an account of its own."""

import hashlib
from dataclasses import dataclass

from starlette.requests import Request

from batchapp.sandbox.api.errors import openai_error, refused

PLATFORM_PREFIXES = ("pk-", "dw-platform-")


@dataclass(frozen=True, slots=True)
class Account:
    """The owner of files and batches, known by a hash so that no key is ever stored."""

    id: str
    balance_usd: float

    @property
    def email(self) -> str:
        return f"{self.id[:8]}@sandbox.invalid"


def account(request: Request) -> Account:
    """The account of the request's inference key.

    Raises:
        ApiError: 401 for no key, a revoked one, or one of the other class.
    """
    key = bearer(request)
    if not key.startswith("sk-") or "-revoked" in key:
        raise refused(401, "Authentication required")
    return _account(key)


def account_for_models(request: Request) -> Account:
    """The same, with the errors of ``/v1/models``, which alone are OpenAI's.

    Raises:
        ApiError: 401 ``missing_authorization`` or ``invalid_api_key``.
    """
    key = bearer(request)
    if not key:
        raise openai_error(401, "Missing Authorization header", "missing_authorization")
    if not key.startswith("sk-") or "-revoked" in key:
        raise openai_error(401, "Invalid API key", "invalid_api_key")
    return _account(key)


def platform_account(request: Request) -> Account:
    """The account of the request's platform key.

    Raises:
        ApiError: 401 for anything else, inference keys among them.
    """
    key = bearer(request)
    if not key.startswith(PLATFORM_PREFIXES) or "-revoked" in key:
        raise refused(401, "Authentication required")
    return _account(key)


def watched_account(request: Request) -> str:
    """The inference account a platform key sees to: ``pk-NAME`` to that of ``sk-NAME``."""
    return account_id(watched_key(request))


def watched_key(request: Request) -> str:
    key = bearer(request)
    for prefix in PLATFORM_PREFIXES:
        key = key.removeprefix(prefix)
    return f"sk-{key}"


def bearer(request: Request) -> str:
    """The key as it was sent, or nothing."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def account_id(key: str) -> str:
    """The account of a key. Nothing else is ever kept of it."""
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def _account(key: str) -> Account:
    balance = -1.0 if "-nocredit" in key else 0.0 if "-zerocredit" in key else 100.0
    return Account(account_id(key), balance)

"""Accounts: each inference key has its own."""

import hashlib
from dataclasses import dataclass

from starlette.requests import Request

from batchapp.sandbox.api.errors import openai_error, text_error

PLATFORM_PREFIXES = ("pk-", "dw-platform-")


@dataclass(frozen=True, slots=True)
class Account:
    """The owner of files and batches. ``id`` is a hash, so that no key is stored."""

    id: str
    balance_usd: float

    @property
    def email(self) -> str:
        return f"{self.id[:8]}@sandbox.invalid"


def inference_account(request: Request) -> Account:
    """Return the account of the request's inference key.

    Raises:
        ApiError: 401 for a missing key, a revoked key or a platform key.
    """
    key = bearer_key(request)
    if not key.startswith("sk-") or "-revoked" in key:
        raise text_error(401, "Authentication required")
    return _account(key)


def models_account(request: Request) -> Account:
    """Like ``inference_account``, with the OpenAI errors that only ``/v1/models`` returns.

    Raises:
        ApiError: 401 ``missing_authorization`` or ``invalid_api_key``.
    """
    key = bearer_key(request)
    if not key:
        raise openai_error(401, "Missing Authorization header", "missing_authorization")
    if not key.startswith("sk-") or "-revoked" in key:
        raise openai_error(401, "Invalid API key", "invalid_api_key")
    return _account(key)


def platform_account(request: Request) -> Account:
    """Return the account of the request's platform key.

    Raises:
        ApiError: 401 for a missing key, a revoked key or an inference key.
    """
    key = bearer_key(request)
    if not key.startswith(PLATFORM_PREFIXES) or "-revoked" in key:
        raise text_error(401, "Authentication required")
    return _account(key)


def linked_account_id(request: Request) -> str:
    """Return the account of ``sk-NAME`` for the platform key ``pk-NAME``."""
    return account_id(linked_inference_key(request))


def linked_inference_key(request: Request) -> str:
    key = bearer_key(request)
    for prefix in PLATFORM_PREFIXES:
        key = key.removeprefix(prefix)
    return f"sk-{key}"


def bearer_key(request: Request) -> str:
    """Return the key of the request, or an empty text."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def account_id(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def _account(key: str) -> Account:
    balance = -1.0 if "-nocredit" in key else 0.0 if "-zerocredit" in key else 100.0
    return Account(account_id(key), balance)

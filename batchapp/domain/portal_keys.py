"""The secret of a portal key: its form, what is stored of it, and how a request carries it."""

import hashlib
import secrets
import string

START = "ba_"
SHOWN = 6  # characters after ``START`` that pages show
ALPHABET = string.ascii_letters + string.digits
RANDOM_CHARACTERS = 43  # 43 characters of 62 have 256 random bits


def new_secret() -> str:
    """Return a secret of 256 random bits; a double click selects all of it."""
    return START + "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_CHARACTERS))


def digest_of(secret: str) -> str:
    """Return the SHA-256 that is stored of ``secret``, in hexadecimal digits.

    A password needs a slow hash because people choose passwords that can be guessed. Nobody
    guesses 256 random bits, so a fast hash without a salt is safe, and the digest finds its row by
    an index: the time of the look-up says nothing about any other secret.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def shown_part(secret: str) -> str:
    """Return the beginning of ``secret`` by which people tell their keys apart."""
    return secret[: len(START) + SHOWN]


def bearer_secret(header: str) -> str | None:
    """Return what an ``Authorization`` header has after "Bearer", which may be "".

    None means that the header has another scheme. The scheme is read in any case of its letters.
    Source: https://www.rfc-editor.org/rfc/rfc9110#section-11.1
    """
    scheme, *rest = header.split(maxsplit=1)[:2] or [""]
    if scheme.lower() != "bearer":
        return None
    return rest[0].strip() if rest else ""

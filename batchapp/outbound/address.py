"""Read an address that a person entered, as the client that sends to it reads it."""

from collections.abc import Sequence

import httpx

from batchapp.domain.webhooks.addresses import Network

MAX_LENGTH = 2000  # characters
HTTP_PORT, HTTPS_PORT = 80, 443
SHOWN = 4  # characters at the end of an address, by which people tell addresses apart
LONG_ENOUGH = 16  # characters of a path, of which four tell nothing
FIRST_FREE_PORT = 1024  # below are services of the system, of which only the web's speak HTTP


class BadAddress(ValueError):
    """Nothing is sent to this address, whatever its name stands for."""


def parse_address(text: str, private_networks: Sequence[Network]) -> httpx.URL:
    """Return the address that messages are sent to.

    Plain http is for the networks that the operator allows, where nobody else listens.

    Raises:
        BadAddress: it has another scheme, a user, no host, or the port of another service.
    """
    if len(text) > MAX_LENGTH:
        raise BadAddress("too long")
    try:
        url = httpx.URL(text.strip())
        # As the socket does, and as pages show it: some names are only valid for one of both.
        host = url.host and url.raw_host.decode("ascii").encode("idna")
    except (httpx.InvalidURL, UnicodeError) as exc:
        raise BadAddress("not an address") from exc
    schemes = {"https", "http"} if private_networks else {"https"}
    if url.scheme not in schemes or not host or b"%" in url.raw_host or url.userinfo:
        raise BadAddress("not a plain address")
    default = HTTPS_PORT if url.scheme == "https" else HTTP_PORT
    port = default if url.port is None else url.port
    if port not in {HTTP_PORT, HTTPS_PORT} and not FIRST_FREE_PORT <= port < 65536:
        raise BadAddress("the port of another service")
    return url.copy_with(fragment=None)


def shown_address(text: str) -> str:
    """Return what pages show of an address, whose path and query may hold a secret."""
    try:
        url = httpx.URL(text.strip())
        host = url.host
    except (httpx.InvalidURL, UnicodeError):
        return "…"
    port = f":{url.port}" if url.port else ""
    path = url.raw_path.decode("ascii", "replace")
    end = path[-SHOWN:] if len(path) >= LONG_ENOUGH else ""
    return f"{url.scheme}://{host}{port}" + (f"/…{end}" if path != "/" else "")

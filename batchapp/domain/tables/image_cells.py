"""Read the addresses of images in a cell, and refuse what no provider can open."""

import re

import msgspec

from batchapp.domain.request_files.findings import presentable
from batchapp.domain.tables.prompts import PromptError

SHOWN_LENGTH = 60  # characters of an address in a message

# Only where another address begins: an address may hold these signs as well.
BETWEEN = re.compile(
    r"[;|,\s]+(?=https?:|data:|file:|\w+://|[a-z]:[\\/]|~?/|\.{1,2}[\\/]|\\\\)", re.IGNORECASE
)
SIGNS_AROUND = ";|, \t\r\n"

WEB_ADDRESS = re.compile(r"https?://[^\s/]+(/\S*)?|https?://[^\s/]+\?\S*", re.IGNORECASE)
DATA_URL = re.compile(r"data:image/[\w.+-]+(;[\w=.-]+)*;base64,[A-Za-z0-9+/=_-]+", re.IGNORECASE)
LOCAL_PATH = re.compile(r"file:|[a-z]:[\\/]|~?/|\.{1,2}[\\/]|\\\\", re.IGNORECASE)
SCHEME = re.compile(r"\w[\w+.-]*:", re.IGNORECASE)


def read_addresses(cell: str, column: str) -> list[str]:
    """Return the addresses in ``cell``, separated by ; | , blanks or line ends, or a JSON list.

    Raises:
        PromptError: a provider could not open one of them.
    """
    listed = _json_list(cell)
    addresses = listed if listed is not None else BETWEEN.split(cell.strip(SIGNS_AROUND))
    addresses = [stripped for address in addresses if (stripped := address.strip(SIGNS_AROUND))]
    for address in addresses:
        if not (WEB_ADDRESS.fullmatch(address) or DATA_URL.fullmatch(address)):
            shown = presentable(address, SHOWN_LENGTH)
            raise PromptError(f"Column {column}: “{shown}” {_reason(address)}")
    return addresses


def _json_list(cell: str) -> list[str] | None:
    if not cell.lstrip().startswith("["):
        return None
    try:
        return msgspec.json.decode(cell, type=list[str])
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None


def _reason(address: str) -> str:
    if address.lower().startswith("data:"):
        return "is no data URL of an image. It begins with data:image/png;base64, for example."
    if WEB_ADDRESS.match(address):
        return "has a blank within. Write it as %20, or begin each address with https://."
    if LOCAL_PATH.match(address) or not SCHEME.match(address):
        return (
            "is the name of a file, which no provider can open. Give its address on the web, "
            "https://…, or a data URL."
        )
    return "is no address that a provider opens. Give one that begins with https://."

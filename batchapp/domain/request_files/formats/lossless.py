"""Read the parts of another format so that nothing is lost: an unknown part stops the reading."""

from collections.abc import Iterable, Mapping
from typing import Any


class CannotConvert(Exception):
    """A line cannot be turned into a request; the text is the reason, without a final point."""


def refuse_others(value: Mapping[str, Any], known: Iterable[str], place: str) -> None:
    """Refuse fields of ``value`` that are not ``known``: the request would lack them.

    Raises:
        CannotConvert: with the name of the first such field.
    """
    for name in value:
        if name not in known:
            raise CannotConvert(f"{place} has {shown(name)}, which has no equal in a request")


def objects(value: Any, place: str) -> list[dict[str, Any]]:
    """Return ``value`` if it is a list of objects.

    Raises:
        CannotConvert: it is something else.
    """
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise CannotConvert(f"{place} is not a list of objects")
    return value


def shown(text: Any) -> str:
    return "".join(c if c.isprintable() else "�" for c in str(text)[:40])


def joined(parts: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """Return the only text of ``parts`` as text, else the parts."""
    if len(parts) == 1 and parts[0]["type"] == "text":
        return str(parts[0]["text"])
    return parts


def text_part(text: Any, place: str) -> dict[str, Any]:
    """Return a part of a message with this text.

    Raises:
        CannotConvert: it is no text.
    """
    if not isinstance(text, str):
        raise CannotConvert(f"a text of {place} is not text")
    return {"type": "text", "text": text}


def image_part(address: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": address}}

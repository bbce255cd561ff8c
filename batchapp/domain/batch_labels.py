"""The tags and the cost centre of a batch: how they are written, and what is refused."""

import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from batchapp.domain.refused import Refusal, Refused

MAX_TAGS = 10  # of one batch
MAX_TAG_LENGTH = 40  # characters
MAX_COST_CENTRE_LENGTH = 80  # characters
MAX_TYPED_LENGTH = 1_000  # characters of all tags as they are typed; more is no list of tags
# Characters that cannot be seen, or that turn the text after them around.
INVISIBLE_CATEGORIES = {"Cc", "Cf", "Cs", "Zl", "Zp"}
JOINERS = {"\N{ZERO WIDTH NON-JOINER}", "\N{ZERO WIDTH JOINER}"}  # parts of words in some scripts


class Labels(NamedTuple):
    """The tags of a batch, sorted, and its cost centre, "" for none."""

    tags: tuple[str, ...] = ()
    cost_centre: str = ""


def read_tags(text: str) -> tuple[str, ...]:
    """Return the tags in ``text``, which has commas between them; see ``clean_tags``."""
    return clean_tags(text.split(","))


def clean_tags(names: Iterable[str]) -> tuple[str, ...]:
    """Return the tags as they are stored: in lower case, without spaces, each once, sorted.

    Raises:
        Refused: a tag is too long or has invisible characters, or there are too many.
    """
    tags = {tag for name in names if (tag := _clean_tag(name))}
    if len(tags) > MAX_TAGS:
        raise Refused(Refusal.TAGS_TOO_MANY, number=len(tags), limit=MAX_TAGS)
    return tuple(sorted(tags))


def _clean_tag(name: str) -> str:
    words = unicodedata.normalize("NFC", name).lower().split()
    tag = "-".join(words).strip(",")
    if "," in tag or _has_invisible(tag):
        raise Refused(Refusal.TAG_INVALID)
    if len(tag) > MAX_TAG_LENGTH:
        raise Refused(Refusal.TAG_TOO_LONG, tag=tag[:MAX_TAG_LENGTH], limit=MAX_TAG_LENGTH)
    return tag


def clean_cost_centre(text: str) -> str:
    """Return ``text`` with single spaces.

    Raises:
        Refused: it is too long or has invisible characters.
    """
    cost_centre = " ".join(unicodedata.normalize("NFC", text).split())
    if len(cost_centre) > MAX_COST_CENTRE_LENGTH:
        raise Refused(Refusal.COST_CENTRE_TOO_LONG, limit=MAX_COST_CENTRE_LENGTH)
    if _has_invisible(cost_centre):
        raise Refused(Refusal.COST_CENTRE_INVALID)
    return cost_centre


def _has_invisible(text: str) -> bool:
    return any(
        unicodedata.category(char) in INVISIBLE_CATEGORIES for char in text if char not in JOINERS
    )

"""Read what a refusal is about; no other code compares the words of a provider.

Statuses and codes are read before words, and of words as few as possible, since providers change
their sentences. Names that people chose, such as a model's, stand in quotes and are left out.

Source of the sentences: ``dwctl/src/api/handlers`` of control-layer 10.13 (``batches.rs``,
``files.rs``, ``unverified_volume.rs``), and https://platform.openai.com/docs/guides/error-codes
"""

import re
from typing import Any

from batchapp.domain.results.no_credit import is_about_money
from batchapp.providers.errors import About, Reason
from batchapp.providers.refusal_words import is_about_room, is_about_unready_file

WINDOW = "completion_window"

_LINE = re.compile(r"\W*line\s+\d+\s*(?:\([^)]{0,300}\))?\s*:", re.IGNORECASE)
_QUOTED = re.compile(r"'([^']{0,300})'|`([^`]{0,300})`|\"([^\"]{0,300})\"")
_QUOTED_STATE = re.compile(
    r"(['`\"])(pending|uploaded|processing|processed|validating|running|importing|ready)\1",
    re.IGNORECASE,
)
_NAMES_WINDOW = re.compile(r"\bcompletion[ _-]?window\b", re.IGNORECASE)
_REFUSES_VALUE = re.compile(
    r"\b(?:unsupported|not\s+(?:supported|support|allowed|available|offered|valid)|invalid|"
    r"allowed|supported|unknown|must\s+be|should\s+be)\b",
    re.IGNORECASE,
)
_IS_OUR_MISTAKE = re.compile(r"\b(?:missing|deserialize|required)\b", re.IGNORECASE)

_NUMBER = r"[\s:=(]{0,3}(\d{1,3}(?:[,_\u00a0\u202f]\d{3})+|\d{1,18})\b"
_LIMIT = re.compile(
    r"\b(?:at\s+most|up\s+to|no\s+more\s+than|(?:limit|cap|maximum|max|quota)(?:\s+(?:of|is|to))?)"
    + _NUMBER,
    re.IGNORECASE,
)
_WANTED = re.compile(
    r"\b(?:submission\s+(?:of|has|with)|submitting|requested|batch\s+of|file\s+of|"
    r"(?:file|batch|submission)\s+(?:has|contains|with))" + _NUMBER,
    re.IGNORECASE,
)


def passing_subject(message: str, error: dict[str, Any]) -> About | None:
    """Return the subject of a refusal that passes by itself although its status says otherwise.

    Providers say with 400, 403, 404 or 422 that the file is not ready yet, or that there is no
    room for another batch. None if the refusal is final.
    """
    if _LINE.match(message):
        return None
    words = _without_names(message)
    if is_about_unready_file(words, error):
        return About.FILE_NOT_READY
    if is_about_room(words, error):
        return About.ACCOUNT if _wants_more_than_the_limit(message) else About.ROOM
    return None


def wants_money(message: str, error: dict[str, Any]) -> bool:
    """Return True if the account pays for nothing more, whatever the status."""
    codes = error.get("code"), error.get("type")
    return not _LINE.match(message) and is_about_money(_without_names(message), *codes)


def reason_of(status: int, message: str, error: dict[str, Any]) -> Reason:
    """Return the reason of a rejection; ``error`` is the JSON object that names a ``param``."""
    reason = Reason.of(status)
    if reason is not Reason.KEY_REFUSED and wants_money(message, error):
        return Reason.NO_CREDIT
    if reason is Reason.INVALID and _is_about_window(message, error.get("param")):
        return Reason.WINDOW_UNSUPPORTED
    return reason


def about(status: int, message: str, error: dict[str, Any]) -> About:
    """Return what must change before the provider takes the same request, by its refusal.

    ``error`` is the JSON object that has a ``code``.
    """
    if _LINE.match(message):
        return About.FILE
    if status == 429 and _wants_more_than_the_limit(message):
        return About.ACCOUNT
    if status in {409, 425} and is_about_unready_file(_without_names(message), error):
        return About.FILE_NOT_READY
    return About.PROVIDER


def _without_names(message: str) -> str:
    """Return the words of a provider, without what stands in quotes unless that is a state."""
    return _QUOTED.sub(" … ", _QUOTED_STATE.sub(r"\2", message))


def _is_about_window(message: str, param: object) -> bool:
    if _LINE.match(message) or _IS_OUR_MISTAKE.search(message):
        return False
    if param == WINDOW:
        return True
    words = _QUOTED.sub(_unquoted_window, message)
    return bool(_NAMES_WINDOW.search(words) and _REFUSES_VALUE.search(words))


def _unquoted_window(match: re.Match[str]) -> str:
    """Return a quoted name only if it is the name of our parameter."""
    return f" {WINDOW} " if WINDOW in match.groups() else " … "


def _wants_more_than_the_limit(message: str) -> bool:
    """Return True if the request alone is larger than the limit, so that waiting never helps.

    Every limit that is named counts, since the smallest one refuses the request.
    """
    words = _without_names(message)
    limits = [_whole(number) for number in _LIMIT.findall(words)]
    wanted = [_whole(number) for number in _WANTED.findall(words)]
    return bool(limits and wanted) and max(wanted) > min(limits)


def _whole(number: str) -> int:
    return int(re.sub(r"\D", "", number))

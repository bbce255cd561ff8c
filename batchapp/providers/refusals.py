"""Read what a refusal is about; no other code compares the words of a provider.

Statuses and codes are read before words, and of words as few as possible, since providers change
their sentences. Names that people chose, such as a model's, stand in quotes and are left out.

Source of the sentences: ``dwctl/src/api/handlers`` of control-layer 10.13 (``batches.rs``,
``files.rs``, ``unverified_volume.rs``), and https://platform.openai.com/docs/guides/error-codes
"""

import re
from typing import Any

from batchapp.providers.errors import About, Reason

WINDOW = "completion_window"
QUOTA_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached"})  # OpenAI's

_LINE = re.compile(r"\W*line\s+\d+\s*(?:\([^)]{0,300}\))?\s*:", re.IGNORECASE)
_QUOTED = re.compile(r"'([^']{0,300})'|`([^`]{0,300})`|\"([^\"]{0,300})\"")
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


def reason_of(status: int, message: str, error: dict[str, Any]) -> Reason:
    """Return the reason of a rejection; ``error`` is the JSON object that names a ``param``."""
    reason = Reason.of(status)
    if reason is Reason.INVALID and _is_about_window(message, error.get("param")):
        return Reason.WINDOW_UNSUPPORTED
    return reason


def about(status: int, message: str, error: dict[str, Any]) -> About:
    """Return what must change before the provider takes the same request, by its refusal.

    ``error`` is the JSON object that has a ``code``.
    """
    if _LINE.match(message):
        return About.FILE
    code = error.get("code")
    has_quota_code = isinstance(code, str) and code in QUOTA_CODES
    if status == 429 and (has_quota_code or _wants_more_than_the_limit(message)):
        return About.ACCOUNT
    return About.PROVIDER


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
    words = _QUOTED.sub(" … ", message)
    limits = [_whole(number) for number in _LIMIT.findall(words)]
    wanted = [_whole(number) for number in _WANTED.findall(words)]
    return bool(limits and wanted) and max(wanted) > min(limits)


def _whole(number: str) -> int:
    return int(re.sub(r"\D", "", number))

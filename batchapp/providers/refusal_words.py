"""The codes and words with which providers say two things that many say with a wrong status.

There is no room for another batch, or the file is not ready yet. Codes are compared without case
and punctuation, and before words. A third is that no money is left: ``domain/results/no_credit``.

Source: https://platform.openai.com/docs/guides/error-codes, the references of Azure OpenAI,
DeepSeek, Gemini, OpenRouter, Voyage and z.ai, and reports of their users.
"""

import re
from typing import Any

from batchapp.domain.results.no_credit import plain_code

ROOM_CODES = frozenset(
    {
        *("toomanybatches", "toomanyjobs", "toomanyrequests", "batchlimitexceeded"),
        *("tokenlimitexceeded", "enqueuedtokenlimitexceeded", "ratelimitexceeded"),
        *("concurrencylimitexceeded", "maxconcurrentbatches", "batchqueuefull"),
        *("capacityexceeded", "nocapacity", "resourceexhausted"),
    }
)
NOT_READY_CODES = frozenset({"filenotready", "filenotprocessed", "inputfilenotready"})

ROOM_WORDS = re.compile(
    r"""
    \btoo\s+many\s+(?:\w+\s+){0,3}(?:batch(?:es)?|jobs)\b
    | \b(?:maximum|max|limit)\b[^.]{0,60}\b
      (?:concurrent|active|running|queued|pending|enqueued|in[\s_-]progress)\b
    | \b(?:concurrent|active|running|queued|pending|enqueued|in[\s_-]progress)\s+(?:\w+\s+){0,2}
      (?:batch(?:es)?|jobs?|tokens?)\b[^.]{0,60}\b(?:limit|maximum|exceed\w*|reached|allowed)\b
    | \b(?:try|retry)\s+(?:again\s+)?(?:later|once|when|after)\b
    | \b(?:at|no)\s+capacity\b | \bqueue\s+is\s+full\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
NOT_READY_WORDS = re.compile(
    r"""
    \bfile\b[^.]{0,80}\bnot\s+(?:yet\s+)?(?:been\s+|fully\s+)?
      (?:processed|ready|uploaded|available|finished)\b
    | \bfile\b[^.]{0,60}\bmust\s+be\s+(?:in\s+)?(?:\w+\s+){0,2}(?:processed|ready)\b
    | \bfile\b[^.]{0,60}\b(?:still|currently|being)\s+(?:being\s+)?
      (?:process|upload|validat|import|prepar|scann)(?:ed|ing)\b
    | \bfile\b[^.]{0,60}\b(?:status|state)\b[^.]{0,30}\b
      (?:pending|uploaded|processing|validating|running|importing|not\s?started)\b
    | \bwait\b[^.]{0,40}\bfile\b[^.]{0,40}\b(?:processed|ready)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)


def is_about_room(words: str, error: dict[str, Any]) -> bool:
    """Return True if another batch would be taken once others are over."""
    return _has_code(error, ROOM_CODES) or bool(ROOM_WORDS.search(words))


def is_about_unready_file(words: str, error: dict[str, Any]) -> bool:
    """Return True if the provider has the file but still works on it."""
    return _has_code(error, NOT_READY_CODES) or bool(NOT_READY_WORDS.search(words))


def _has_code(error: dict[str, Any], codes: frozenset[str]) -> bool:
    said = (error.get("code"), error.get("type"))
    return any(plain_code(code) in codes for code in said)

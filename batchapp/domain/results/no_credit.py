"""The codes and words with which providers say, at any status, that no money is left.

They say so of a batch and of single requests. Codes are compared without case and punctuation.

Source: https://platform.openai.com/docs/guides/error-codes, the references of Anthropic, DeepSeek,
OpenRouter and z.ai, and reports of their users.
"""

import re

MONEY_CODES = frozenset(
    {
        *("insufficientquota", "insufficientuserquota", "exceededcurrentquotaerror"),
        *("billinghardlimitreached", "billingnotactive", "billingerror", "paymentrequired"),
        *("insufficientbalance", "insufficientcredit", "insufficientcredits"),
        *("insufficientfunds", "creditbalancetoolow", "outofcredits", "arrearage"),
    }
)
MONEY_WORDS = re.compile(
    r"""
    \b(?:insufficient|not\s+enough)\s+(?:\w+\s+){0,2}(?:quota|balance|credits?|funds?)\b
    | \b(?:balance|credits?|funds)\b[^.]{0,40}\b
      (?:too\s+low|insufficient|exhausted|depleted|used\s+up|negative|r[ua]n\s+out)\b
    | \b(?:out\s+of|no(?:\s+more|\s+remaining)?|zero)\s+(?:\w+\s+)?(?:credits?|funds|balance)\b
    | \bexceeded\s+your\s+current\s+quota\b
    | \b(?:billing|spend(?:ing)?)\s+(?:hard\s+)?(?:limit|cap)\b
    | \bpayment\s+(?:is\s+)?required\b
    | \b(?:top\s+up|add|purchase|buy)\s+(?:more\s+|some\s+)?(?:credits?|funds)\b
    | \bbilling\s+(?:is\s+)?(?:not\s+(?:active|enabled)|inactive|disabled)\b
    | \b(?:in\s+arrears|overdue)\b
    | 余额不足 | 欠费
    """,
    re.IGNORECASE | re.VERBOSE,
)


def is_about_money(words: str, *codes: object) -> bool:
    """Return True if an error with these words and codes says that nothing more is paid."""
    return any(plain_code(code) in MONEY_CODES for code in codes) or bool(
        MONEY_WORDS.search(words)
    )


def plain_code(code: object) -> str:
    """Return the letters of a code in lower case; "" of anything but a text."""
    return re.sub(r"[^a-z]", "", code.lower()) if isinstance(code, str) else ""

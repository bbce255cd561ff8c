"""What a request may be meant to say but does not: warnings, never errors."""

import re
from collections.abc import Iterator
from typing import Any

from batchapp.domain.request_files.rules import answer_schema, known_fields
from batchapp.domain.request_files.rules.request_rules import RequestFinding, quote

ENVELOPE = frozenset({"custom_id", "method", "url", "body"})

INSECURE_IMAGE = RequestFinding(
    "http_image",
    "An image is to be fetched over http, which many providers refuse; give its https address, or "
    "put the image itself into the request.",
)
IMAGES = ("image_url", "input_image", "image")
SECRETS = (
    ("an AWS access key", rb"AKIA[0-9A-Z]{16}\b"),
    ("a GitHub token", rb"gh[pousr]_[A-Za-z0-9]{36}"),
    ("a GitHub token", rb"github_pat_\w{60}"),
    ("a Slack token", rb"xox[abeprs]-[0-9A-Za-z-]{20}"),
    ("a Google API key", rb"AIza[0-9A-Za-z_-]{35}\b"),
    ("a Hugging Face token", rb"hf_[A-Za-z0-9]{34}\b"),
    ("an API key", rb"sk-(?=[\w-]{0,60}[0-9])[A-Za-z0-9_-]{20,200}(?![\w-])"),
)
START = rb"(?<!(?<!\\)\w)"
"""A word begins, perhaps behind the n of a line ending, which JSON writes with a backslash."""

WORDS_OF = tuple((what, re.compile(START + pattern)) for what, pattern in SECRETS)
ANY_WORD = re.compile(START + b"(?:" + b"|".join(pattern for _, pattern in SECRETS) + b")")
PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----")

LONG = b"a" * 20
LETTERS = bytes(
    97 if (byte < 128 and chr(byte).isalnum()) or byte in b"_-" else 32 for byte in range(256)
)
"""All that words are made of becomes "a". Secrets are long words, or hold some, and few lines have
many, so that one search for those saves the patterns most of a line."""

SEARCHED = 32 * 1024
"""Bytes at either end of a line that secrets are looked for in. What is longer is an image or a
document in base64."""


def find_warnings(request: dict[str, Any], written: bytes) -> list[RequestFinding]:
    """On a request without errors; ``written`` is its body as the line has it."""
    found: list[RequestFinding] = []
    body, url = request["body"], request["url"]
    if len(request) > len(ENVELOPE):
        found.extend(_misplaced(request, url))
    if not body.keys() <= known_fields.KNOWN_FIELDS.get(url, body.keys()):
        found.append(_unknown(body, url))
    if why := answer_schema.find_schema_error(body, url):
        found.append(
            RequestFinding(
                "bad_response_format",
                f"The answer's format will be refused: {quote(why, 200)}. Correct the schema, or "
                "ask for text.",
            )
        )
    if _has_insecure_image(body):
        found.append(INSECURE_IMAGE)
    if what := find_secret(written):
        found.append(
            RequestFinding(
                "secret",
                f"The request holds what looks like {what}, and it would be sent to the provider; "
                "take it out, and replace the key if it is a real one.",
            )
        )
    return found


def find_secret(data: bytes) -> str:
    """What kind of secret ``data`` seems to hold, or ""; the secret itself is never repeated."""
    if len(data) > 2 * SEARCHED:
        data = data[:SEARCHED] + b"\n" + data[-SEARCHED:]
    words = data.translate(LETTERS)
    start = words.find(LONG)
    if start >= 0 and b"PRIVATE KEY-----" in data and PRIVATE_KEY.search(data):
        return "a private key"
    while start >= 0:
        end = words.find(b" ", start)
        end = len(data) if end < 0 else end
        if ANY_WORD.search(data, start, end):
            return next(what for what, word in WORDS_OF if word.search(data, start, end))
        start = words.find(LONG, end)
    return ""


def _misplaced(request: dict[str, Any], url: str) -> Iterator[RequestFinding]:
    lost = (request.keys() - ENVELOPE) & known_fields.KNOWN_FIELDS.get(url, frozenset())
    for field in sorted(lost):
        yield RequestFinding(
            "misplaced_field",
            f"{field} stands beside body, where it is dropped; move it into body.",
        )


def _unknown(body: dict[str, Any], url: str) -> RequestFinding:
    """The first field of ``body`` that ``url`` does not know, and how many more there are."""
    unknown = [field for field in body if field not in known_fields.KNOWN_FIELDS[url]]
    field, more = unknown[0], len(unknown) - 1
    if field in known_fields.CLIENT_ARGUMENTS:
        advice = "it is an argument of the Python client; leave it out"
    elif meant := known_fields.guess_field(field[:40], url):
        advice = f"perhaps {meant} is meant"
    else:
        advice = "leave it out unless you know that the model takes it"
    others = f" (and {more:,} more)" if more else ""
    return RequestFinding(
        "unknown_field",
        f"body has a field {quote(field)}{others} that {url} does not know: it is refused or "
        f"ignored; {advice}.",
    )


def _has_insecure_image(body: dict[str, Any]) -> bool:
    for field in ("messages", "input"):
        turns = body.get(field)
        for turn in turns if isinstance(turns, list) else ():
            if not isinstance(turn, dict):
                continue
            content = turn.get("content")
            for part in content if isinstance(content, list) else ():
                if isinstance(part, dict) and part.get("type") in IMAGES and _is_insecure(part):
                    return True
    return False


def _is_insecure(part: dict[str, Any]) -> bool:
    """Whether the image of one part of a message has an http address, wherever it is written."""
    for field in ("image_url", "image", "source"):
        value = part.get(field)
        address = value.get("url") if isinstance(value, dict) else value
        if isinstance(address, str) and address.lower().startswith("http:"):
            return True
    return False

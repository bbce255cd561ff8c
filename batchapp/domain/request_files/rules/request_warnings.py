"""Find what is probably a mistake in a request without errors: warnings only."""

import re
from collections.abc import Iterator
from typing import Any

from batchapp.domain.request_files.findings import RequestFinding
from batchapp.domain.request_files.limits import Limits
from batchapp.domain.request_files.rules import (
    answer_schema,
    cache_markers,
    known_fields,
    reasoning_rules,
    request_body,
    strict_schema,
)
from batchapp.domain.request_files.rules.request_rules import quote

ENVELOPE = frozenset({"custom_id", "method", "url", "body"})

INSECURE_IMAGE = RequestFinding(
    "http_image",
    "An image is to be fetched over http, which many providers refuse; give its https address, or "
    "put the image itself into the request.",
)
IMAGE_TYPES = ("image_url", "input_image", "image")
SECRETS = (
    ("an AWS access key", rb"AKIA[0-9A-Z]{16}\b"),
    ("a GitHub token", rb"gh[pousr]_[A-Za-z0-9]{36}"),
    ("a GitHub token", rb"github_pat_\w{60}"),
    ("a Slack token", rb"xox[abeprs]-[0-9A-Za-z-]{20}"),
    ("a Google API key", rb"AIza[0-9A-Za-z_-]{35}\b"),
    ("a Hugging Face token", rb"hf_[A-Za-z0-9]{34}\b"),
    ("an API key", rb"sk-(?=[\w-]{0,60}[0-9])[A-Za-z0-9_-]{20,200}(?![\w-])"),
)
# The start of a word, also after the n of a line ending, which JSON writes as a backslash and n.
WORD_START = rb"(?<!(?<!\\)\w)"
SECRET_PATTERNS = tuple((name, re.compile(WORD_START + pattern)) for name, pattern in SECRETS)
ANY_SECRET = re.compile(WORD_START + b"(?:" + b"|".join(pattern for _, pattern in SECRETS) + b")")
PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----")

# Translates all characters of words to "a". Secrets are or contain long words, which are rare, so
# that one search for long words saves the patterns most of a line.
WORD_CHARACTERS_TO_A = bytes(
    97 if (byte < 128 and chr(byte).isalnum()) or byte in b"_-" else 32 for byte in range(256)
)
LONG_WORD = b"a" * 20

# Bytes at both ends of a body that are searched for secrets; a longer body has an image or a
# document in base64 between them.
SEARCHED_BYTES = 32 * 1024


def find_warnings(request: dict[str, Any], written: bytes, limits: Limits) -> list[RequestFinding]:
    """Return the warnings about a request; ``written`` is its body as written in the line."""
    findings: list[RequestFinding] = []
    body, url = request["body"], request["url"]
    if len(request) > len(ENVELOPE):
        findings.extend(_misplaced_fields(request, url))
    if "enable_thinking" in body and limits.reasoning_effort_only:
        findings.extend(reasoning_rules.find_ignored_switch(body, url))
    findings += request_body.find_failures(body, url)
    if not body.keys() <= known_fields.KNOWN_FIELDS.get(url, body.keys()):
        findings.extend(_unknown_fields(body, url))
    if error := answer_schema.find_schema_error(body, url):
        findings.append(
            RequestFinding(
                "bad_response_format",
                f"The answer's format will be refused: {quote(error, 200)}. Correct the schema, "
                "or ask for text.",
            )
        )
    elif strict_error := strict_schema.find_strict_error(body, url):
        findings.append(
            RequestFinding(
                "strict_schema",
                f"strict asks for {strict_error}, without which OpenAI refuses the request; write "
                "that, or leave strict out.",
            )
        )
    if limits.reads_cache_markers and cache_markers.may_have_markers(written):
        findings.extend(cache_markers.find_useless_markers(body, url))
    if _has_insecure_image(body):
        findings.append(INSECURE_IMAGE)
    if secret := find_secret(written):
        findings.append(
            RequestFinding(
                "secret",
                f"The request contains what looks like {secret}, and it would be sent to the "
                "provider; remove it, and replace the key if it is a real one.",
            )
        )
    return findings


def find_secret(data: bytes) -> str:
    """Name the kind of secret that ``data`` seems to contain, else ""; never the secret itself."""
    if len(data) > 2 * SEARCHED_BYTES:
        data = data[:SEARCHED_BYTES] + b"\n" + data[-SEARCHED_BYTES:]
    words = data.translate(WORD_CHARACTERS_TO_A)
    start = words.find(LONG_WORD)
    if start >= 0 and b"PRIVATE KEY-----" in data and PRIVATE_KEY.search(data):
        return "a private key"
    while start >= 0:
        end = words.find(b" ", start)
        end = len(data) if end < 0 else end
        if ANY_SECRET.search(data, start, end):
            return next(name for name, word in SECRET_PATTERNS if word.search(data, start, end))
        start = words.find(LONG_WORD, end)
    return ""


def _misplaced_fields(request: dict[str, Any], url: str) -> Iterator[RequestFinding]:
    misplaced = (request.keys() - ENVELOPE) & known_fields.KNOWN_FIELDS.get(url, frozenset())
    for field in sorted(misplaced):
        yield RequestFinding(
            "misplaced_field",
            f"{field} stands beside body, where it is dropped; move it into body.",
        )


def _unknown_fields(body: dict[str, Any], url: str) -> Iterator[RequestFinding]:
    """Yield a finding for fields of other endpoints, and one for fields that nobody knows."""
    unknown = [field for field in body if field not in known_fields.KNOWN_FIELDS[url]]
    named = [field for field in unknown if known_fields.field_meant(field, url)]
    if named:
        meant = known_fields.field_meant(named[0], url)
        advice = f"leave it out, since {meant} is set" if meant in body else f"write {meant}"
        yield _unknown_field("field_of_another_endpoint", named, url, advice)
    unknown = [field for field in unknown if field not in named]
    if not unknown:
        return
    if unknown[0] in known_fields.CLIENT_ARGUMENTS:
        next_step = "write its fields into body" if unknown[0] == "extra_body" else "leave it out"
        advice = f"it is an argument of the Python client; {next_step}"
    elif guess := known_fields.guess_field(unknown[0][:40], url):
        advice = f"perhaps {guess} is meant"
    else:
        advice = "leave it out unless you know that the model takes it"
    yield _unknown_field("unknown_field", unknown, url, advice)


def _unknown_field(code: str, fields: list[str], url: str, advice: str) -> RequestFinding:
    suffix = f" (and {len(fields) - 1:,} more)" if len(fields) > 1 else ""
    return RequestFinding(
        code,
        f"body has a field {quote(fields[0])}{suffix} that {url} does not know: it is refused or "
        f"ignored; {advice}.",
    )


def _has_insecure_image(body: dict[str, Any]) -> bool:
    for field in ("messages", "input"):
        messages = body.get(field)
        for message in messages if isinstance(messages, list) else ():
            content = message.get("content") if isinstance(message, dict) else None
            for part in content if isinstance(content, list) else ():
                if isinstance(part, dict) and part.get("type") in IMAGE_TYPES and _is_http(part):
                    return True
    return False


def _is_http(part: dict[str, Any]) -> bool:
    """Return True if one of the fields that may name the image has an http address."""
    for field in ("image_url", "image", "source"):
        value = part.get(field)
        address = value.get("url") if isinstance(value, dict) else value
        if isinstance(address, str) and address.lower().startswith("http:"):
            return True
    return False

"""Give error lines the form of OpenAI's, in which the message of an error is a sentence.

Doubleword writes JSON into the message, with the body of the failed answer as a text in that.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from batchapp.domain.results.answer_bodies import mapping, text_of
from batchapp.domain.results.error_messages import decoded, find_failure

_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_NULL = b"null"


def plain_error_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of a file of errors, which comes in ``pieces``; see ``plain_error_line``."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from (plain_error_line(line) + b"\n" for line in whole)
    if rest:
        yield plain_error_line(rest)


def plain_error_line(line: bytes) -> bytes:
    """Return ``line`` with the sentence and the code that are inside its error's message.

    An HTTP answer that is in the message becomes the ``response``, unless the line has one. A line
    whose message is no JSON stays as it is, byte for byte.
    """
    try:
        fields: dict[str, Any] = _decode_fields(line)
        error = dict(mapping(msgspec.json.decode(fields.get("error", _NULL))))
        inside = mapping(decoded(text_of(error.get("message"))))
        if not inside:
            return line
        failure = find_failure(error)
        if failure.status and bytes(fields.get("response", _NULL)) == _NULL:
            body = mapping(inside.get("details")).get("body")
            answer = {"status_code": failure.status, "request_id": None}
            fields["response"] = answer | {"body": decoded(text_of(body)) or body}
        code = failure.code or error.get("code")
        fields["error"] = error | {"code": code, "message": failure.message}
        return msgspec.json.encode(fields)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return line

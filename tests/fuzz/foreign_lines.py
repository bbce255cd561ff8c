"""Lines of other formats, and files that are laid out otherwise, for the fuzz run."""

import json
import random
from typing import Any

CHAT = "/v1/chat/completions"
TEXTS = ("Hi", 'it\'s "fine"', "é文😀", "a\nb\t\\", "{[“x”]}", "// no", "", "True: None,")


def messages(chance: random.Random) -> list[dict[str, Any]]:
    roles = ["user", "assistant"] if chance.random() < 0.3 else ["user"]
    return [{"role": role, "content": chance.choice(TEXTS)} for role in roles]


def foreign_object(chance: random.Random, number: int) -> dict[str, Any]:
    """Make an object as another API takes it, or a request with the fields in other places."""
    said, custom_id = messages(chance), f"foreign-{number}"
    body = {"model": "m", "max_tokens": 5, "messages": said}
    parts = [{"text": chance.choice(TEXTS)}, {"fileData": {}}][: chance.choice([1, 1, 2])]
    envelope = {"custom_id": custom_id, "method": "POST", "url": CHAT}
    return chance.choice(
        [
            {"custom_id": custom_id, "params": body | {"system": "Be brief."}},
            {"custom_id": custom_id, "body": body},
            {"key": custom_id, "request": {"contents": [{"role": "user", "parts": parts}]}},
            {"recordId": custom_id, "modelInput": {"anthropic_version": "x", "messages": said}},
            {"recordId": custom_id, "modelInput": {"messages": said, "inferenceConfig": {}}},
            body,
            {"messages": said},
            {"model": "m", "input": chance.choice(TEXTS)},
            {"custom_id": custom_id, "response": {"status_code": 200, "body": {}}, "error": None},
            envelope | body,
            envelope | {"body": {"messages": said}, "model": "m"},
            envelope | {"body": json.dumps(body)},
            envelope | {"custom_id": chance.choice([number, None, 1.5, ""]), "body": body},
            envelope
            | {"url": chance.choice(["/chat/completions", "x", CHAT + "/"]), "body": body},
            {"Id": custom_id, "Method": "post", "Endpoint": CHAT, "payload": body},
        ]
    )


def foreign_line(chance: random.Random, number: int) -> bytes:
    """Write such an object as JSON, or as people write what they take for JSON."""
    value = foreign_object(chance, number)
    written = json.dumps(value, ensure_ascii=chance.random() < 0.5)
    lines = [
        *[written] * 5,
        json.dumps(written),
        repr(value),
        written + ",",
        written.replace('"', "“"),
        written.replace("\\n", "\n").replace("\\t", "\t"),
        written + "\r" + written,
        written + written,
        "// " + written,
        "# note",
        json.dumps(value, indent=1),
    ]
    return chance.choice(lines).encode()


def laid_out(chance: random.Random, data: bytes) -> bytes:
    """Write the lines of ``data`` as one JSON list, in another encoding, or with other ends."""
    rows = [row for row in data.split(b"\n") if row.strip()]
    match chance.randrange(6):
        case 0:
            return b"[" + b",".join(rows) + b"]"
        case 1:
            return b'{"requests": [' + b",\n".join(rows) + b"]}"
        case 2:
            return b"[\n" + b",\n".join(row.replace(b", ", b",\n  ") for row in rows) + b"\n]"
        case 3:
            return b"\r".join(rows)
        case 4:
            text = data.decode("utf-8", "replace")
            return text.encode(chance.choice(["utf-16", "utf-16-le", "utf-32-be"]), "replace")
        case _:
            return b"\xef\xbb\xbf" + b"\n".join(row.replace(b", ", b",\r\n  ") for row in rows)

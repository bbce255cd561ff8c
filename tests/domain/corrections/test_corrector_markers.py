"""Markers of the cache that fail, only cost, or are not read are removed; nothing else changes."""

import copy
import json
from typing import Any

import pytest

from batchapp.domain.corrections.correction_rules import Choice, CorrectionKind
from batchapp.domain.corrections.corrector import Corrector
from tests.domain.request_lines import LIMITS, codes, make_body, make_line

SOUND = {"type": "ephemeral", "ttl": "1h"}
BAD_MARKERS = ["5m", True, {}, {"ttl": "5m"}, {"type": "x"}, {"type": "ephemeral", "ttl": "2h"}]


def part(marker: object = None, text: str = "Rules") -> dict[str, Any]:
    return {"type": "text", "text": text} | ({} if marker is None else {"cache_control": marker})


def body_of(*parts: dict[str, Any], question: object = "Question", **fields: Any) -> Any:
    messages = [
        {"role": "system", "content": list(parts)},
        {"role": "user", "content": question},
    ]
    return make_body(messages=messages, **fields)


def corrected(*lines: bytes, every: bool = False) -> tuple[list[bytes], int]:
    choice = Choice(frozenset({CorrectionKind.REMOVE_MARKERS}), every_marker=every)
    corrector = Corrector(choice, LIMITS)
    content = b"".join(line + b"\n" for line in lines)
    new = b"".join(corrector.run(lambda: [content]))
    return new.splitlines(), corrector.changed[CorrectionKind.REMOVE_MARKERS]


def tool(marker: object = None) -> dict[str, Any]:
    fields = {"type": "function", "function": {"name": "find"}}
    return fields if marker is None else fields | {"cache_control": marker}


WRONG = {
    **{f"fails {marker}": (body_of(part(marker)), body_of(part())) for marker in BAD_MARKERS},
    "fails on a tool": (body_of(part(), tools=[tool("5m")]), body_of(part(), tools=[tool()])),
    "fails on the body": (body_of(part(), cache_control="5m"), body_of(part())),
    "costs on the body": (body_of(part(), cache_control=SOUND), body_of(part())),
    "costs on the last block": (
        body_of(part(SOUND), question=[part(SOUND, "Question")]),
        body_of(part(SOUND), question=[part(None, "Question")]),
    ),
    "is not read": (
        make_body(messages=[{"role": "user", "content": "Hello", "cache_control": SOUND}]),
        make_body(messages=[{"role": "user", "content": "Hello"}]),
    ),
    "the fifth": (
        body_of(*[part(SOUND, f"Rule {n}") for n in range(6)]),
        body_of(*[part(SOUND if n < 4 else None, f"Rule {n}") for n in range(6)]),
    ),
    "fails beside four sound ones": (
        body_of(part("5m"), *[part(SOUND, f"Rule {n}") for n in range(4)]),
        body_of(part(), *[part(SOUND, f"Rule {n}") for n in range(4)]),
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_marker_is_removed_and_the_rest_of_the_request_stays(kind: str) -> None:
    wrong, right = WRONG[kind]
    line = make_line(body=wrong)

    (new,), changed = corrected(line)

    assert any(code.endswith("cache_marker") for code in codes(line))
    assert not codes(new)
    assert json.loads(new) == json.loads(line) | {"body": right}
    assert changed == 1


def test_the_system_text_of_messages_is_read_too() -> None:
    body = {"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": "Hello"}]}
    line = make_line(url="/v1/messages", body=body | {"system": [part("5m"), part(SOUND)]})

    (new,), _ = corrected(line)

    assert json.loads(new)["body"] == body | {"system": [part(), part(SOUND)]}


def test_other_lines_keep_their_every_byte() -> None:
    odd = json.dumps(json.loads(make_line(custom_id="b", body=body_of(part(SOUND)))), indent=None)
    others = [make_line(custom_id="a"), odd.replace(": ", " :  ").encode(), b"", b"no request"]

    new, changed = corrected(*others, make_line(custom_id="c", body=body_of(part("5m"))))

    assert new[:-1] == others
    assert changed == 1


@pytest.mark.parametrize("url", ["/v1/responses", "/v1/embeddings"])
def test_an_endpoint_without_a_cache_keeps_the_field(url: str) -> None:
    line = make_line(url=url, body={"model": "m", "input": "Text", "cache_control": "5m"})

    assert corrected(line, every=True) == ([line], 0)


def test_all_markers_are_removed_on_request() -> None:
    body = body_of(part(SOUND), tools=[tool(SOUND)])
    plain = body_of(part(), tools=[tool()])

    (kept,), _ = corrected(make_line(body=copy.deepcopy(body)))
    (new,), changed = corrected(make_line(body=body), every=True)

    assert json.loads(kept)["body"] == body
    assert (json.loads(new)["body"], changed) == (plain, 1)

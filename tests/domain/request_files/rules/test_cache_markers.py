import json

import pytest

from batchapp.domain.request_files.check_file import Limits, Severity
from tests.domain.request_lines import check_bytes, codes, make_body, make_file, make_line

MARKER = {"type": "ephemeral"}


def part(marker=None, text="Rules"):
    return {"type": "text", "text": text} | ({"cache_control": marker} if marker else {})


def chat(*parts, **fields):
    messages = [
        {"role": "system", "content": list(parts)},
        {"role": "user", "content": "Question"},
    ]
    return make_line(custom_id="b", body=make_body(messages=messages, **fields))


@pytest.mark.parametrize(
    "marker",
    [
        *({"type": "ephemeral", "ttl": "2h"}, {"type": "ephemeral", "ttl": 5}),
        *({"ttl": "5m"}, {"type": "persistent"}, {"type": ["ephemeral"]}, "ephemeral", True),
        {"type": "ephemeral", "ttl": ["5m"]},
    ],
)
def test_a_marker_that_the_provider_refuses_is_an_error_of_its_line(marker):
    report = check_bytes(make_file(make_line(), chat(part(marker))))

    (finding,) = report.findings
    assert (finding.line, finding.code) == (2, "bad_cache_marker")
    assert finding.severity is Severity.ERROR
    assert finding.is_portal_only
    assert "of part 1 of message 1" in finding.message
    assert finding.message.isprintable()


@pytest.mark.parametrize("lifetime", ["5m", "1h", "24h", None])
def test_a_sound_marker_on_a_shared_block_has_no_finding(lifetime):
    marker = {"type": "ephemeral", "ttl": lifetime}

    assert not codes(chat(part(marker)))


def test_four_markers_are_taken_and_a_fifth_is_an_error():
    assert not codes(chat(*[part(MARKER, f"Rule {n}") for n in range(4)]))
    assert codes(chat(*[part(MARKER, f"Rule {n}") for n in range(5)])) == {"bad_cache_marker": 1}


def test_markers_of_tools_count_too():
    tool = {"type": "function", "function": {"name": "f"}, "cache_control": MARKER}
    parts = [part(MARKER, f"Rule {n}") for n in range(4)]

    assert codes(chat(*parts, tools=[tool])) == {"bad_cache_marker": 1}
    tool = tool | {"cache_control": "5m"}
    assert codes(chat(part(), tools=[tool])) == {"bad_cache_marker": 1}


def test_markers_of_messages_and_their_system_text_are_read():
    fields = {"messages": [{"role": "user", "content": "Question"}], "max_tokens": 10}

    def line(marker):
        body = {"model": "m", "system": [part(marker)]} | fields
        return make_line(url="/v1/messages", body=body)

    assert not codes(line(MARKER))
    assert codes(line({"type": "ephemeral", "ttl": "7d"})) == {"bad_cache_marker": 1}


def test_a_marker_beside_the_messages_or_on_the_last_block_is_a_warning():
    question = [{"role": "user", "content": [part(), part(MARKER, "Question")]}]

    assert codes(chat(part(), cache_control=MARKER)) == {"costly_cache_marker": 1}
    assert codes(make_line(body=make_body(messages=question))) == {"costly_cache_marker": 1}


def test_a_marker_beside_the_content_of_a_message_is_not_read():
    messages = [
        {"role": "system", "content": "Rules", "cache_control": MARKER},
        {"role": "user", "content": "Question"},
    ]

    assert codes(make_line(body=make_body(messages=messages))) == {"ignored_cache_marker": 1}


def test_an_escaped_marker_is_read_as_well():
    line = chat(part({"type": "persistent"})).replace(b"cache_control", b"c\\u0061che_control")

    assert codes(line) == {"bad_cache_marker": 1}


@pytest.mark.parametrize("place", ["url", "type", "text"])
def test_a_marker_deeper_than_the_server_reads_is_no_marker(place):
    image = {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}
    image["image_url"]["extra"] = {place: {"cache_control": "\u202e<script>\0"}}

    assert not codes(chat(image))


def test_hostile_markers_make_a_printable_sentence():
    for text in ("<script>", "\0", "\u202etxt", "=cmd()", "a" * 10**6):
        report = check_bytes(chat(part({"type": text})))
        assert report.findings[0].message.isprintable()
        assert len(report.findings[0].message) < 300


def test_a_provider_that_reads_no_markers_has_no_findings_of_them():
    limits = Limits(max_bytes=10**6, reads_cache_markers=False)

    assert not codes(chat(part({"type": "other"}), cache_control=MARKER), limits)


@pytest.mark.parametrize("url", ["/v1/responses", "/v1/completions", "/v1/embeddings"])
def test_endpoints_without_a_cache_have_no_findings_of_markers(url):
    fields = {"model": "m", "input": "Text", "prompt": "Text"}
    line = json.loads(make_line(url=url, body=fields))
    line["body"]["cache_control"] = "5m"

    assert "bad_cache_marker" not in codes(json.dumps(line).encode())

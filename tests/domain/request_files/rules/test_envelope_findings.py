import pytest

from tests.domain.request_lines import check_bytes, codes, make_body, make_line


def messages_of(line: bytes) -> list[str]:
    return [finding.message for finding in check_bytes(line).findings]


def test_misspelled_names_are_said_in_one_sentence():
    line = make_line(custom_id=..., url=..., customId="a", endpoint="/v1/chat/completions")

    assert messages_of(line) == [
        "The line has “customId” and “endpoint”; did you mean custom_id and url? Rename it."
    ]


def test_what_is_wrong_under_a_misspelled_name_is_said_as_well():
    line = make_line(body=..., Body=make_body(model=...))

    assert codes(line) == {"misspelled_field": 1, "missing_model": 1}


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({"body": ..., **make_body()}, {"fields_beside_body": 1}),
        ({"body": make_body(model=...), "model": "m"}, {"fields_beside_body": 1}),
        ({"body": {"model": "m"}, "messages": [{}]}, {"input_beside_body": 1}),
        ({"body": {}, **make_body()}, {"fields_beside_body": 1}),
        ({"body": ..., "model": "m"}, {"fields_beside_body": 1}),
        ({"body": make_body(), "temperature": 1}, {"misplaced_field": 1}),
        ({"method": "GET", "temperature": 1}, {"method_not_post": 1, "misplaced_field": 1}),
        ({"body": ..., "note": 1}, {"missing_body": 1}),
        (
            {"url": "/chat/completions", "body": ..., **make_body()},
            {"misspelled_url": 1, "fields_beside_body": 1},
        ),
    ],
)
def test_fields_beside_body_are_named_instead_of_what_the_body_lacks(overrides, expected):
    totals = codes(make_line(**overrides))

    assert {code: totals[code] for code in totals if code != "no_max_tokens"} == expected


def test_the_fields_to_move_are_named():
    (message,) = messages_of(make_line(body=..., **make_body()))

    assert message == "model and messages and max_tokens stand beside body; move them into body."


def test_a_url_written_otherwise_is_said_with_the_right_one():
    (message,) = messages_of(make_line(url="/chat/completions"))

    assert "write “/v1/chat/completions”" in message


def test_a_body_as_text_is_named_and_its_content_checked():
    assert codes(make_line(body='{"messages": [{}]}')) == {"body_is_text": 1, "missing_model": 1}


def test_a_line_with_a_field_twice_is_said_as_it_stands():
    assert codes(make_line(Method="POST")[:-1] + b', "url": "/x"}') == {
        "repeated_key": 1,
        "url_not_allowed": 1,
    }

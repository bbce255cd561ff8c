import json

import msgspec
import pytest

from batchapp.domain.corrections.correction_rules import Choice, CorrectionKind
from batchapp.domain.corrections.request_changes import RequestChanges
from batchapp.domain.model_cards import ModelCard
from tests.domain.request_lines import CHAT, LIMITS, codes, make_body, make_request

K = CorrectionKind


def changed(request: dict, *kinds: CorrectionKind, **values) -> dict:
    changes = RequestChanges(Choice(frozenset(kinds), **values), LIMITS)
    made = changes.make(request, 5)
    assert set(made) <= set(kinds)
    return request


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        (make_request(custom_id=..., customId="a"), K.RENAME_FIELDS),
        (make_request(url=..., endpoint=CHAT), K.RENAME_FIELDS),
        (make_request(body='{"model":"m","messages":[{"role":"user","content":"Hello"}],'
                           '"max_tokens":10}'), K.UNWRAP_BODY),
        (make_request(body=..., **make_body()), K.MOVE_INTO_BODY),
        (make_request(body=make_body(model=...), model="m"), K.MOVE_INTO_BODY),
        (make_request(url="/chat/completions"), K.SET_METHOD_AND_URL),
        (make_request(url=..., method=...), K.SET_METHOD_AND_URL),
        (make_request(method="post "), K.SET_METHOD_AND_URL),
        ({"custom_id": "a", "body": make_body()}, K.CONVERT_FORMAT),
        ({"id": "a", **make_body()}, K.CONVERT_FORMAT),
    ],
)  # fmt: skip
def test_each_correction_makes_the_request_that_was_meant(request_, kind):
    fields = changed(request_, kind)
    if kind is K.CONVERT_FORMAT and "id" in fields["body"]:
        del fields["body"]["id"]

    assert fields == make_request()


@pytest.mark.parametrize(
    ("custom_id", "text"),
    [(7, "7"), (1.5, "1.5"), (0, "0"), (None, "line-5"), ("", "line-5"), (" ", "line-5")],
)
def test_a_custom_id_is_written_as_text_or_as_the_number_of_the_line(custom_id, text):
    fields = changed(make_request(custom_id=custom_id), K.SET_CUSTOM_ID)

    assert fields == make_request(custom_id=text)
    assert next(iter(fields)) == "custom_id"


@pytest.mark.parametrize("custom_id", ["a", True, ["a"], {"a": 1}])
def test_a_custom_id_whose_text_is_not_certain_stays(custom_id):
    request = make_request(custom_id=custom_id)

    assert changed(request, K.SET_CUSTOM_ID)["custom_id"] == custom_id


def test_the_order_of_corrections_lets_one_build_on_the_other():
    line = {"Id": 7, "Endpoint": "chat/completions/", "model": "m", "messages": [{}], "seed": 1}

    assert changed(
        line, K.RENAME_FIELDS, K.MOVE_INTO_BODY, K.SET_METHOD_AND_URL, K.SET_CUSTOM_ID
    ) == {
        "custom_id": "7",
        "url": CHAT,
        "body": {"model": "m", "messages": [{}], "seed": 1},
        "method": "POST",
    }


def test_a_field_that_body_has_already_is_not_moved():
    request = make_request(model="other")

    assert changed(request, K.MOVE_INTO_BODY) == make_request(model="other")


def test_anthropic_lines_become_messages_or_what_was_chosen_if_nothing_is_lost():
    line = {"custom_id": "a", "params": {"model": "c", "messages": [], "thinking": {}}}

    assert changed(dict(line), K.CONVERT_FORMAT)["url"] == "/v1/messages"
    assert changed(dict(line), K.CONVERT_FORMAT, url=CHAT) == line
    del line["params"]["thinking"]
    assert changed(dict(line), K.CONVERT_FORMAT, url=CHAT)["url"] == CHAT


def test_an_endpoint_that_the_body_does_not_tell_is_the_chosen_one():
    request = make_request(url=..., body={"model": "m", "input": "x"})

    assert "url" not in changed(dict(request), K.SET_METHOD_AND_URL)
    assert changed(request, K.SET_METHOD_AND_URL, url="/v1/embeddings")["url"] == "/v1/embeddings"
    line = {"custom_id": "a", "body": {"model": "m", "input": "x"}}
    assert changed(dict(line), K.CONVERT_FORMAT) == line
    assert changed(line, K.CONVERT_FORMAT, url="/v1/responses")["url"] == "/v1/responses"


def test_a_url_that_is_another_one_stays():
    request = make_request(url="/v1/rerank")

    assert changed(request, K.SET_METHOD_AND_URL, url=CHAT)["url"] == "/v1/rerank"


def test_a_limit_is_lowered_to_what_the_model_writes_and_no_other():
    cards = {"m": ModelCard("m", max_new_tokens=100), "other": ModelCard("other")}
    limits = msgspec.structs.replace(LIMITS, models=cards)
    changes = RequestChanges(Choice(frozenset({K.LOWER_MAX_TOKENS})), limits)

    def lowered(**fields) -> dict:
        request = make_request(body=make_body(**fields))
        assert changes.make(request, 1) == [K.LOWER_MAX_TOKENS]
        return request["body"]

    assert lowered(max_tokens=101) == make_body(max_tokens=100)
    assert lowered(max_tokens=5, max_completion_tokens=400.0) == make_body(
        max_tokens=5, max_completion_tokens=100
    )
    for fields in ({"max_tokens": 100}, {"max_tokens": "many"}, {"model": "other"}, {"model": []}):
        request = make_request(body=make_body(**fields))
        assert changes.make(request, 1) == []
        assert request["body"] == make_body(**fields)


def test_a_limit_that_was_lowered_is_found_no_more():
    cards = {"m": ModelCard("m", max_new_tokens=100)}
    limits = msgspec.structs.replace(LIMITS, models=cards)
    request = make_request(body=make_body(max_tokens=500))
    assert "too_many_new_tokens" in codes(json.dumps(request).encode(), limits)

    RequestChanges(Choice(frozenset({K.LOWER_MAX_TOKENS})), limits).make(request, 1)

    assert codes(json.dumps(request).encode(), limits) == {}

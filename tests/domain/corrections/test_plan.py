import json

import pytest

from batchapp.domain.corrections.correction_rules import CorrectionKind
from batchapp.domain.corrections.plan import Plan, make_plan
from tests.domain.request_lines import (
    CHAT,
    LIMITS,
    check_bytes,
    make_body,
    make_file,
    make_line,
    make_request,
)

K = CorrectionKind
ASKED = {"role": "user", "content": "Why?"}


def plan_of(data: bytes, *, is_whole: bool = True) -> Plan | None:
    return make_plan(data, check_bytes(data).finding_totals, LIMITS, is_whole=is_whole)


def written(*values: object) -> bytes:
    return make_file(*(json.dumps(value).encode() for value in values))


@pytest.mark.parametrize(
    ("data", "kinds"),
    [
        (json.dumps([make_request()]).encode("utf-16"), {K.CONVERT_TO_UTF8, K.ONE_PER_LINE}),
        (
            json.dumps([{"customId": 7, "params": {"model": "m", "messages": [ASKED]}}]).encode(),
            {K.ONE_PER_LINE, K.CONVERT_FORMAT},
        ),
        (
            written({"Id": 1, "Body": json.dumps({"model": "m", "messages": [ASKED]})}),
            {K.RENAME_FIELDS, K.UNWRAP_BODY, K.SET_METHOD_AND_URL, K.SET_CUSTOM_ID},
        ),
        (
            make_file(b"// mine", repr({"model": "m", "messages": [ASKED]}).encode()),
            {K.REMOVE_COMMENTS, K.WRITE_JSON, K.CONVERT_FORMAT},
        ),
    ],
)
def test_what_one_mistake_hides_is_corrected_as_well(data, kinds):
    plan = plan_of(data)

    assert plan
    assert plan.report.is_valid, plan.report.findings
    assert plan.corrections == kinds
    assert not plan.asks_model
    assert not plan.asks_endpoint


def test_the_first_requests_are_shown_as_they_will_be():
    bodies = [make_body(seed=number) for number in range(9)]

    plan = plan_of(written(*bodies))

    assert plan
    assert [json.loads(line) for line in plan.requests] == [
        make_request(custom_id=f"line-{number}", body=bodies[number - 1]) for number in (1, 2, 3)
    ]


def test_a_model_is_asked_for_if_requests_name_none():
    with_model, without = make_body(), make_body(model=...)

    asking, settled = plan_of(written(without, with_model)), plan_of(written(with_model))

    assert asking
    assert settled
    assert (asking.asks_model, settled.asks_model) == (True, False)
    assert K.SET_MODEL not in asking.corrections


def test_an_endpoint_is_asked_for_only_if_no_body_tells_it():
    unclear = written({"model": "m", "input": "x"})
    clear = written({"model": "m", "input": "x", "instructions": "y"})

    assert [plan.asks_endpoint for plan in map(plan_of, (unclear, clear)) if plan] == [True, False]


def test_lines_of_anthropic_leave_two_endpoints():
    plan = plan_of(written({"custom_id": "a", "params": {"model": "m", "messages": [ASKED]}}))

    assert plan
    assert plan.has_two_endpoints
    assert json.loads(plan.requests[0])["url"] == "/v1/messages"


@pytest.mark.parametrize(
    "data",
    [
        written({"messages": [ASKED, {"role": "assistant", "content": "So."}]}),
        written({"custom_id": "a", "response": {"status_code": 200}, "error": None}),
        make_file(b"{"),
        make_file(make_line(url="/v1/rerank")),
        b"id,text\n1,x\n",
        make_file(make_line()),
    ],
)
def test_without_a_certain_correction_there_is_no_plan(data):
    assert plan_of(data) is None


def test_a_request_that_the_start_of_the_file_cuts_is_left_out():
    rows = [make_request(custom_id=f"{number}", url=CHAT + "/") for number in range(4)]
    data = json.dumps(rows, indent=1).encode()

    plan = make_plan(data[:-200], ["json_array"], LIMITS, is_whole=False)

    assert plan
    assert plan.report.requests == 3
    assert plan.report.is_valid

"""Messages as Doubleword's and OpenAI's servers write them, and others that look like them."""

import json
import time

import pytest

from batchapp.providers.errors import (
    About,
    NoCapacity,
    ProviderRejected,
    ProviderUnavailable,
    Reason,
)
from tests.providers.doubles import failure

UNVERIFIED = (
    "Unverified accounts can submit at most {cap} request(s) per {window} completion window. You "
    "have {current} in the last {window}, so this submission of {wanted} would exceed the limit. "
    "Verify your account by adding a payment method or making a payment to remove this limit."
)

ABOUT_THE_FILE = [
    "Line 3: image fetch failed after retries, please retry: connection refused",
    "Line 3: image content store temporarily unavailable: timeout",
    "Line 12000: referenced image could not be fetched (upstream error): 502 Bad Gateway",
    "line 7: image fetch failed",
    "  Line 7 : image fetch failed",
    "Line 2 (custom_id 'row: 2'): image fetch failed",
]

ABOUT_THE_ACCOUNT = [
    UNVERIFIED.format(cap=1000, window="1h", current=0, wanted=1001),
    UNVERIFIED.format(cap=24000, window="24h", current=12, wanted=50000),
    UNVERIFIED.format(cap="24,000", window="24h", current=0, wanted="50,000"),
    "This account may submit no more than 500 requests per day; this batch has 501.",
    "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 47000.",
    "Your limit is 100 requests. The file contains 5000.",
    "The cap: 1_000 requests. Requested: 2_000.",
]

WAITING_HELPS = [
    UNVERIFIED.format(cap=24000, window="24h", current=23000, wanted=5000),
    UNVERIFIED.format(cap=1000, window="1h", current=1, wanted=1000),
    UNVERIFIED.format(cap=9000, window="24h", current=8999, wanted=10).replace("9000", "9,000"),
    (
        "Insufficient capacity for 1h completion window. The following models are currently at "
        "capacity: Qwen/Qwen3-235B. Try again later or use a longer completion window."
    ),
    "Too many file uploads in progress. Please retry later.",
    "Rate limit reached for gpt-4o on requests per day: Limit 10000, Used 9990, Requested 20.",
    "Service temporarily overloaded, please retry",
    "Limit 10 requests per second",
    "Requested 5000",
    "at most, this submission of many exceeds the limit",
    "The model 'limit 10, requested 20' is busy",
    "Pipeline 3: busy",
    "Deadline 12: missed",
    "Our line 3 is busy",
    "Line 3 is busy",
    "Line: busy",
    "",
]


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("message", ABOUT_THE_FILE)
def test_an_unavailable_that_names_a_line_is_about_the_file(client_of, status, message):
    for body in (
        {"json": {"error": "service_unavailable", "message": message}},
        {"text": message},
    ):
        error = failure(client_of(status, **body))

        assert isinstance(error, ProviderUnavailable)
        assert error.about is About.FILE


@pytest.mark.parametrize("message", ABOUT_THE_ACCOUNT)
def test_a_request_beyond_the_whole_limit_is_about_the_account(client_of, message):
    error = failure(client_of(429, json={"error": "too_many_requests", "message": message}))

    assert isinstance(error, ProviderUnavailable)
    assert error.about is About.ACCOUNT
    assert NoCapacity(error).about is About.ACCOUNT


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("message", WAITING_HELPS)
def test_another_refusal_is_waited_out(client_of, status, message):
    error = failure(client_of(status, json={"message": message, "retry_after_seconds": 30}))

    assert isinstance(error, ProviderUnavailable)
    assert error.about is About.PROVIDER


def test_only_a_429_speaks_of_the_limit_of_an_account(client_of):
    assert failure(client_of(503, text=ABOUT_THE_ACCOUNT[0])).about is About.PROVIDER


@pytest.mark.parametrize(
    ("code", "about"),
    [
        ("rate_limit_exceeded", About.PROVIDER),
        (["insufficient_quota"], About.PROVIDER),
        (7, About.PROVIDER),
        (None, About.PROVIDER),
    ],
)
def test_another_code_at_429_is_waited_out(client_of, code, about):
    error = failure(client_of(429, json={"error": {"message": "Quota.", "code": code}}))

    assert error.about is about


def test_no_answer_at_all_is_about_the_provider():
    assert ProviderUnavailable("creating: late").about is About.PROVIDER


ABOUT_THE_WINDOW = [
    "Unsupported completion_window. Allowed values: 24h, 1h",
    "Unsupported completion_window. Allowed values: 24h",
    "Model 'm' does not support completion window '1h'. Allowed: 24h",
    "Model 'Qwen/Qwen3-235B' does not support completion window '1h'. Allowed: 24h, background",
    "model `m` does not support the completion-window `1h`",
    "Invalid value for 'completion_window': '1h'",
    "completion_window must be 24h",
    "The completion window 1h is not available for this model.",
]

NOT_ABOUT_THE_WINDOW = [
    "Model 'm' does not support batch processing.",
    "Line 3: Unsupported parameter 'completion_window'",
    (
        "Failed to deserialize the JSON body into the target type: missing field "
        "`completion_window` at line 1 column 80"
    ),
    "Model 'completion window not supported' has another endpoint",
    "Unsupported endpoint '/v1/x'. Supported: /v1/chat/completions",
    "Invalid input_file_id format",
    "The following model(s) are no longer available: m",
    "completion_window",
    "The window is not supported",
    "",
]


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("message", ABOUT_THE_WINDOW)
def test_a_window_that_is_not_on_offer_has_a_reason_of_its_own(client_of, status, message):
    for body in ({"text": message}, {"json": {"error": {"message": message}}}):
        error = failure(client_of(status, **body))

        assert isinstance(error, ProviderRejected)
        assert error.reason is Reason.WINDOW_UNSUPPORTED


@pytest.mark.parametrize("message", NOT_ABOUT_THE_WINDOW)
def test_another_rejection_is_not_about_the_window(client_of, message):
    assert failure(client_of(400, text=message)).reason is Reason.INVALID


@pytest.mark.parametrize("status", [401, 402, 403, 404, 413])
def test_a_status_with_a_reason_of_its_own_keeps_it(client_of, status):
    error = failure(client_of(status, text=ABOUT_THE_WINDOW[0]))

    assert error.reason is Reason.of(status)


@pytest.mark.parametrize(
    ("param", "reason"),
    [
        ("completion_window", Reason.WINDOW_UNSUPPORTED),
        ("endpoint", Reason.INVALID),
        ({"completion_window": 1}, Reason.INVALID),
        (None, Reason.INVALID),
    ],
)
def test_the_parameter_of_an_openai_error_tells_the_window(client_of, param, reason):
    error = {"message": "Value '1h' was refused.", "type": "invalid_request_error", "param": param}

    assert failure(client_of(400, json={"error": error})).reason is reason


@pytest.mark.parametrize("status", [400, 429, 503])
@pytest.mark.parametrize(
    "message", ["limit " * 10_000, "'" * 60_000, "at most 1" + "0" * 60_000, "line " * 9_000]
)
def test_a_hostile_message_is_read_at_once(client_of, status, message):
    began = time.process_time()

    failure(client_of(status, content=json.dumps({"message": message})))

    assert time.process_time() - began < 5


NO_MONEY = [
    (429, {"message": "Quota.", "code": "insufficient_quota"}),
    (429, {"message": "Quota.", "type": "insufficient_quota", "code": None}),
    (429, {"message": "You exceeded your current quota, please check your plan and billing."}),
    (400, {"message": "Billing hard limit has been reached.", "code": None}),
    (400, {"message": "Stop.", "code": "billing_hard_limit_reached"}),
    (400, {"message": "Insufficient Balance", "type": "unknown_error"}),
    (403, {"message": "Your credit balance is too low to access the API.", "type": "x"}),
    (403, {"message": "The account is out of credits. Buy more credits to go on."}),
    (422, {"message": "Not enough credits", "code": "InsufficientCredits"}),
    (402, {"message": "anything"}),
    (400, {"message": "\u4f59\u989d\u4e0d\u8db3"}),
    (200, {"message": "Insufficient account balance", "code": 1113}),
]
NO_ROOM = [
    (400, {"message": "Too many batches in progress: at most 1 allowed.", "code": None}),
    (400, {"message": "Stop.", "code": "too_many_batches"}),
    (403, {"message": "The maximum of 4 concurrent jobs is used."}),
    (400, {"message": "Enqueued token limit reached for m in organization o."}),
    (422, {"message": "Please try again once some batches have ended."}),
    (200, {"message": "Please retry later.", "code": "busy"}),
]
FILE_NOT_READY = [
    (400, {"message": "The input file must be in processed state; its status is pending."}),
    (400, {"message": "File f-1 is still being processed. Try again later."}),
    (404, {"message": "The file has not been processed yet."}),
    (409, {"message": "Input file state: uploading is not finished; file not ready."}),
    (400, {"message": "No.", "code": "file_not_ready"}),
]
FINAL = [
    (400, {"message": "Invalid value for max_tokens: the limit is 4096."}),
    (400, {"message": "Unknown model 'credits insufficient, too many batches'."}),
    (404, {"message": "No such File object: f-1"}),
    (400, {"message": "The file must have at most 50,000 lines."}),
    (403, {"message": "Line 3: Model 'm' has not been configured; add credits"}),
]


@pytest.mark.parametrize(("status", "error"), NO_MONEY)
def test_no_money_is_told_in_many_forms_and_never_waited_out(client_of, status, error):
    refusal = failure(client_of(status, json={"error": error}))

    assert isinstance(refusal, ProviderRejected)
    assert refusal.reason is Reason.NO_CREDIT


@pytest.mark.parametrize(
    ("status", "error", "about"),
    [(*row, About.ROOM) for row in NO_ROOM]
    + [(*row, About.FILE_NOT_READY) for row in FILE_NOT_READY],
)
def test_what_passes_by_itself_is_waited_out_whatever_its_status(client_of, status, error, about):
    refusal = failure(client_of(status, json={"error": error}))

    assert isinstance(refusal, ProviderUnavailable)
    assert refusal.about is about
    assert not refusal.maybe_done


@pytest.mark.parametrize(("status", "error"), FINAL)
def test_other_refusals_stay_final(client_of, status, error):
    refusal = failure(client_of(status, json={"error": error}))

    assert isinstance(refusal, ProviderRejected)
    assert refusal.reason is Reason.of(status)

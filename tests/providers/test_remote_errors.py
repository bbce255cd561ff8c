"""The reasons of a batch that failed as a whole, in the shapes of many providers."""

import pytest

from batchapp.providers.remote_errors import WholeRefusal
from batchapp.providers.remote_objects import RemoteBatch


def failed(**fields: object) -> RemoteBatch:
    return RemoteBatch.from_json({"id": "a", "status": "failed"} | fields)


@pytest.mark.parametrize(
    ("fields", "sentences"),
    [
        ({"errors": ["No such region.", " ", "Second."]}, ("No such region.", "Second.")),
        ({"errors": {"message": "Storage is away."}}, ("Storage is away.",)),
        ({"errors": "Just a text"}, ("Just a text",)),
        ({"errors": {"data": [{"line": 4, "message": "bad"}]}}, ("Line 4: bad",)),
        ({"errors": [{"code": "mismatched_model"}]}, ("mismatched_model",)),
        ({"errors": {"errors": [{"error": {"detail": "deep"}}]}}, ("deep",)),
        ({"error": {"message": "One", "code": "x"}, "errors": [{"msg": "One"}]}, ("One",)),
        ({"error": "Told apart"}, ("Told apart",)),
        ({"failure_reason": "The job broke"}, ("The job broke",)),
        ({"errors": [[[[[[["too deep"]]]]]]]}, ()),
        ({"errors": {}, "error": None}, ()),
    ],
)
def test_a_reason_is_found_in_any_shape(
    fields: dict[str, object], sentences: tuple[str, ...]
) -> None:
    assert failed(**fields).errors == sentences


def test_what_a_running_batch_says_of_itself_is_no_reason() -> None:
    batch = RemoteBatch.from_json(
        {"id": "a", "status": "in_progress", "status_message": "half done"}
    )

    assert batch.errors == ()


@pytest.mark.parametrize(
    ("error", "refusal"),
    [
        ({"code": "token_limit_exceeded", "message": "Enqueued tokens."}, WholeRefusal.ROOM),
        ({"message": "Too many active batches; try again later."}, WholeRefusal.ROOM),
        ({"code": "insufficient_quota", "message": "Quota."}, WholeRefusal.MONEY),
        ({"message": "Your balance is too low."}, WholeRefusal.MONEY),
        ({"code": "mismatched_model", "line": 2, "message": "One model, please."}, None),
        ({"message": "Line is no JSON; try again later", "line": 3}, None),
    ],
)
def test_a_batch_that_ran_nothing_is_known_by_its_reason(
    error: dict[str, object], refusal: WholeRefusal | None
) -> None:
    assert failed(errors={"data": [error]}).whole_refusal is refusal
    ran = {"request_counts": {"total": 3, "completed": 1, "failed": 0}}
    assert failed(errors={"data": [error]}, **ran).whole_refusal is None
    assert failed(errors={"data": [error]}, output_file_id="f").whole_refusal is None

"""Create exactly one batch at the provider, even if a worker dies on the way."""

from datetime import timedelta

import httpx
import pytest
from django.utils import timezone

from batchapp import tasks
from batchapp.models import Batch, KeyPoll, ProviderBatch, User
from batchapp.pipeline import runner
from batchapp.presenters.problem_text import problem_text
from batchapp.services.lifecycle import controls, prepare
from tests.fixtures import Clock
from tests.make import answer_line, join, make_batch, make_key, make_project, make_user, set_state
from tests.provider import Provider, lose_reply
from tests.sentences import told
from tests.steps import Killed, advance, make_due, run_steps

pytestmark = pytest.mark.django_db
Status, Parked = ProviderBatch.Status, ProviderBatch.Parked


@pytest.fixture
def waiting() -> ProviderBatch:
    """A provider batch ready to be submitted."""
    provider_batch = ProviderBatch.objects.get(batch=make_batch())
    prepare.prepare(provider_batch)
    return provider_batch


def submit(provider_batch: ProviderBatch) -> ProviderBatch:
    """Run the task as a worker would, after any dead worker's lease and any pause ran out."""
    now = timezone.now()
    ProviderBatch.objects.filter(pk=provider_batch.pk).update(leased_until=None)
    ProviderBatch.objects.filter(pk=provider_batch.pk, next_check_at__gt=now).update(
        next_check_at=now
    )
    advance(provider_batch)
    return ProviderBatch.objects.get(pk=provider_batch.pk)


def lose_create(provider: Provider, provider_batch: ProviderBatch) -> None:
    """Create a batch that is not confirmed and not listed, and let its grace period end."""
    provider.after = lose_reply("POST /v1/batches")
    submit(provider_batch)
    provider.after = lambda *_: None
    provider.hidden = set(provider.batches)
    ProviderBatch.objects.update(create_attempted_at=timezone.now() - timedelta(hours=1))


def lose_two_creates(provider: Provider, provider_batch: ProviderBatch) -> None:
    """Create two batches that are not confirmed, and list them only now."""
    lose_create(provider, provider_batch)
    provider.after = lose_reply("POST /v1/batches")
    submit(provider_batch)
    provider.hidden = set()


def lend_key(batch: Batch) -> User:
    """Let ``batch`` run on the key of a colleague."""
    owner = join(make_user("grace@example.com"), batch.project)
    Batch.objects.filter(pk=batch.pk).update(key=make_key(owner, batch.connection))
    return owner


def dismiss(person: User, how: str) -> None:
    """Let the person leave the project, or lose the account."""
    if how == "left":
        person.memberships.all().delete()
    else:
        User.objects.filter(pk=person.pk).update(is_active=False)


@pytest.mark.parametrize("how", ["left", "deactivated"])
def test_nothing_is_sent_on_the_key_of_a_person_who_is_gone(
    provider: Provider, waiting: ProviderBatch, how: str
) -> None:
    dismiss(lend_key(waiting.batch), how)

    provider_batch = submit(waiting)

    assert provider_batch.parked_reason == Parked.NEEDS_ATTENTION
    assert "grace@example.com" in problem_text(provider_batch.problem)
    assert "Try again with another key" in problem_text(provider_batch.problem)
    assert (provider.files, provider.batches) == ({}, {})


def test_what_may_be_at_the_provider_is_not_said_to_go_on_with_another_key(
    provider: Provider, waiting: ProviderBatch
) -> None:
    dismiss(lend_key(waiting.batch), "left")
    ProviderBatch.objects.update(create_attempted_at=timezone.now() - timedelta(hours=1))

    provider_batch = submit(ProviderBatch.objects.get())

    assert "Cancel it, then retry its requests" in problem_text(provider_batch.problem)


def test_a_person_who_goes_during_the_upload_pays_for_no_batch(
    provider: Provider, waiting: ProviderBatch
) -> None:
    owner = lend_key(waiting.batch)

    def leave(call: str, request: httpx.Request) -> None:
        if call == "POST /v1/files":
            dismiss(owner, "deactivated")

    provider.after = leave
    stopped = submit(waiting)
    assert (stopped.parked_reason, len(provider.files)) == (Parked.NEEDS_ATTENTION, 1)
    assert provider.batches == {}

    batch = Batch.objects.get(pk=waiting.batch_id)
    assert controls.try_again(batch, batch.created_by) == 0
    assert controls.try_again(batch, batch.created_by, make_key(batch.project)) == 1
    assert submit(stopped).status == Status.RUNNING
    assert len(provider.batches) == 1


def test_a_batch_that_was_created_is_followed_on_the_key_of_a_person_who_is_gone(
    provider: Provider, waiting: ProviderBatch
) -> None:
    owner = lend_key(waiting.batch)
    lose_create(provider, waiting)
    provider.hidden = set()
    dismiss(owner, "deactivated")

    provider_batch = submit(waiting)
    assert provider_batch.status == Status.RUNNING
    provider.finish([answer_line(n) for n in (1, 2, 3)])

    assert run_steps(provider_batch).succeeded == 3


def test_a_provider_batch_is_uploaded_and_created_once_and_runs(
    provider: Provider, waiting: ProviderBatch
) -> None:
    provider_batch = submit(waiting)

    assert provider_batch.status == Status.RUNNING
    (batch,) = provider.batches.values()
    assert provider_batch.remote_id == batch["id"]
    assert batch["metadata"]["portal_submission"] == provider_batch.token
    assert provider.files == {provider_batch.remote_file_id: f"{provider_batch.token}.jsonl"}


@pytest.mark.parametrize("call", ["POST /v1/files", "POST /v1/batches"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_worker_that_dies_around_a_call_pays_once(
    provider: Provider, waiting: ProviderBatch, call: str, moment: str
) -> None:
    def die(made: str, request: httpx.Request) -> None:
        if made == call:
            raise Killed

    setattr(provider, moment, die)
    with pytest.raises(Killed):
        submit(waiting)
    setattr(provider, moment, lambda *_: None)

    provider_batch = submit(waiting)
    if (
        provider_batch.status == Status.WAITING
    ):  # not to be seen there yet, so it waits its grace out
        long_ago = timezone.now() - timedelta(hours=1)
        ProviderBatch.objects.update(create_attempted_at=long_ago)
        provider_batch = submit(waiting)

    assert provider_batch.status == Status.RUNNING
    assert len(provider.batches) == 1
    assert len(provider.files) == 1


def test_a_lost_reply_is_looked_for_before_anything_is_repeated(
    provider: Provider, waiting: ProviderBatch
) -> None:
    provider.after = lose_reply("POST /v1/batches")
    provider_batch = submit(waiting)
    assert provider_batch.status == Status.WAITING
    assert "keeps trying" in problem_text(provider_batch.problem)

    provider.hidden = set(provider.batches)  # the provider's replica lags behind
    provider_batch = submit(waiting)
    assert provider_batch.status == Status.WAITING

    provider.hidden = set()
    provider_batch = submit(waiting)

    assert provider_batch.status == Status.RUNNING
    assert provider.calls.count("POST /v1/batches") == 1


def test_a_503_after_the_create_is_looked_for_before_anything_is_repeated(
    provider: Provider, waiting: ProviderBatch
) -> None:
    busy = {"error": "service_unavailable", "message": "Pool exhausted", "retry_after_seconds": 30}
    provider.after = lambda call, _: (
        httpx.Response(503, json=busy) if call == "POST /v1/batches" else None
    )
    assert submit(waiting).status == Status.WAITING

    provider_batch = submit(waiting)

    assert provider_batch.status == Status.RUNNING
    assert provider.calls.count("POST /v1/batches") == 1


def test_of_two_batches_with_our_token_the_older_is_kept(
    provider: Provider, waiting: ProviderBatch
) -> None:
    lose_two_creates(provider, waiting)

    provider_batch = submit(waiting)

    older, newer = provider.batches.values()
    assert provider_batch.remote_id == older["id"]
    assert (older["status"], newer["status"]) == ("in_progress", "cancelled")


def test_a_refused_connection_is_certain_and_needs_no_search(
    provider: Provider, waiting: ProviderBatch, clock: Clock
) -> None:
    clock.stop()

    def refuse(call: str, request: httpx.Request) -> None:
        if call == "POST /v1/batches":
            raise httpx.ConnectError("refused", request=request)

    provider.before = refuse
    provider_batch = submit(waiting)

    assert provider_batch.create_attempted_at is None
    assert provider_batch.next_check_at
    assert provider_batch.next_check_at > timezone.now()


@pytest.mark.parametrize(
    ("call", "status", "text", "advice"),
    [
        ("POST /v1/files", 401, "Authentication required", "refused the key"),
        ("POST /v1/files", 400, "Line 3: custom_id exceeds", "Correct the file"),
        ("POST /v1/files", 403, "Line 3: Model 'm' has not been configured", "Correct the model"),
        ("POST /v1/files", 413, "File exceeds the maximum", "Split it"),
        ("POST /v1/batches", 402, "Account balance too low.", "no credits left"),
    ],
)
def test_a_refusal_waits_for_a_person_with_advice(
    provider: Provider, waiting: ProviderBatch, call: str, status: int, text: str, advice: str
) -> None:
    provider.before = lambda made, _: httpx.Response(status, text=text) if made == call else None

    provider_batch = submit(waiting)

    assert provider_batch.parked_reason == Parked.NEEDS_ATTENTION
    assert provider_batch.next_check_at is None
    assert advice in problem_text(provider_batch.problem)
    assert text.split(":", maxsplit=1)[0] in problem_text(provider_batch.problem)
    assert provider_batch.create_attempted_at is None


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, html="<html>Welcome to nginx</html>"),
        httpx.Response(500, text="Internal server error"),
        httpx.Response(503, json={"error": "service_unavailable", "retry_after_seconds": 30}),
        httpx.Response(201, text=""),
    ],
)
def test_a_provider_out_of_order_is_tried_again_later(
    provider: Provider, waiting: ProviderBatch, answer: httpx.Response
) -> None:
    provider.before = lambda call, _: answer if call == "POST /v1/files" else None

    provider_batch = submit(waiting)

    assert provider_batch.status == Status.WAITING
    assert provider_batch.failures == 1
    assert "Nothing is lost" in problem_text(provider_batch.problem)
    assert "<html>" not in problem_text(provider_batch.problem)


def test_a_key_that_cannot_be_read_waits_for_a_person(waiting: ProviderBatch) -> None:
    key = waiting.batch.key
    key.ciphertext = "garbage"
    key.save()

    provider_batch = submit(waiting)

    assert provider_batch.parked_reason == Parked.NEEDS_ATTENTION
    assert "Enter the key again" in problem_text(provider_batch.problem)


def test_cancelling_before_submission_creates_nothing(
    provider: Provider, waiting: ProviderBatch
) -> None:
    controls.request_cancel(waiting.batch, waiting.batch.created_by)

    provider_batch = submit(waiting)

    assert provider_batch.status == Status.CANCELLED
    assert provider.calls == []


def test_cancelling_while_a_create_is_in_doubt_finds_and_cancels_it(
    provider: Provider, waiting: ProviderBatch
) -> None:
    provider.after = lose_reply("POST /v1/batches")
    submit(waiting)
    controls.request_cancel(waiting.batch, waiting.batch.created_by)

    provider_batch = submit(waiting)
    advance(make_due(provider_batch))

    (batch,) = provider.batches.values()
    assert batch["status"] == "cancelled"


def test_after_a_refused_key_another_one_takes_over(provider: Provider) -> None:
    user = make_user()
    project = make_project(user)
    batch = make_batch(project, user)
    provider_batch = ProviderBatch.objects.get(batch=batch)
    prepare.prepare(provider_batch)
    provider.before = lambda *_: httpx.Response(401, text="Authentication required")
    submit(provider_batch)
    own = make_key(user, project.connection)

    provider.before = lambda *_: None
    assert controls.try_again(batch, user, own) == 1
    provider_batch = submit(provider_batch)

    batch.refresh_from_db()
    assert batch.key == own
    assert provider_batch.status == Status.RUNNING


def test_a_step_that_keeps_killing_its_worker_stops_for_a_person(waiting: ProviderBatch) -> None:
    set_state(waiting.batch, claims=runner.MAX_CLAIMS)

    provider_batch = submit(waiting)

    assert provider_batch.parked_reason == Parked.NEEDS_ATTENTION
    assert "broke off several times" in problem_text(provider_batch.problem)


def test_a_slow_create_is_left_alone_until_it_has_ended(
    provider: Provider, waiting: ProviderBatch, clock: Clock
) -> None:
    def dawdle(call: str, request: httpx.Request) -> None:
        if call == "POST /v1/batches" and not provider.batches:
            clock.advance(seconds=200)  # longer than a lease and the grace together
            advance(waiting)

    provider.before = dawdle
    provider_batch = submit(waiting)

    assert provider_batch.status == Status.RUNNING
    assert [provider_batch.remote_id] == list(provider.batches)


def test_the_grace_begins_when_the_doubtful_create_has_ended(
    provider: Provider, waiting: ProviderBatch, clock: Clock
) -> None:
    def dawdle(call: str, request: httpx.Request) -> None:
        if call == "POST /v1/batches":
            provider.hidden = set(provider.batches)  # the provider's replica lags behind
            clock.advance(seconds=200)
            raise httpx.ReadTimeout("no reply", request=request)

    provider.after = dawdle
    submit(waiting)
    provider_batch = submit(waiting)

    assert provider_batch.status == Status.WAITING
    assert len(provider.batches) == 1


def test_a_file_being_checked_over_there_is_not_sent_a_second_time(
    provider: Provider, waiting: ProviderBatch, clock: Clock
) -> None:
    def dawdle(call: str, request: httpx.Request) -> None:
        if call == "POST /v1/files" and not provider.files:
            clock.advance(seconds=200)
            advance(waiting)

    provider.before = dawdle
    submit(waiting)

    assert len(provider.files) == 1


def test_messages_that_piled_up_bring_no_row_forward(
    provider: Provider, waiting: ProviderBatch
) -> None:
    busy = httpx.Response(429, headers={"Retry-After": "600"}, text="Later")
    provider.before = lambda call, _: busy if call == "POST /v1/batches" else None
    submit(waiting)

    for _ in range(5):
        advance(waiting)

    assert provider.calls.count("POST /v1/batches") == 1


def test_a_batch_that_turns_up_after_the_grace_is_cancelled(
    provider: Provider, waiting: ProviderBatch
) -> None:
    lose_create(provider, waiting)
    provider_batch = submit(waiting)
    assert provider_batch.status == Status.RUNNING
    provider.hidden = set()

    advance(make_due(provider_batch))

    late, active = provider.batches.values()
    assert (late["status"], active["status"]) == ("cancelled", "in_progress")
    assert told(provider_batch.batch, late["id"])


@pytest.mark.parametrize("somebody", ["the list", "looking back"])
def test_a_duplicate_that_appears_after_the_end_is_cancelled(
    provider: Provider, waiting: ProviderBatch, somebody: str
) -> None:
    lose_create(provider, waiting)
    (late,) = provider.hidden
    provider_batch = submit(waiting)
    active = provider.batches[provider_batch.remote_id]
    provider.contents[active["output_file_id"]] = [answer_line(n) for n in (1, 2, 3)]
    active |= {
        "status": "completed",
        "request_counts": {"completed": 3, "failed": 0, "total": 3},
    }
    batch = run_steps(provider_batch)
    assert batch.status == Batch.Status.COMPLETED
    provider.hidden = set()

    if somebody == "the list":
        KeyPoll.objects.update(next_check_at=timezone.now(), leased_until=None)
        tasks.advance("keypoll", str(batch.key_id))
    else:
        Batch.objects.update(next_check_at=timezone.now(), leased_until=None)
        advance(batch)

    assert provider.batches[late]["status"] == "cancelled"
    assert len(told(batch, late)) == 1
    assert Batch.objects.get().status == Batch.Status.COMPLETED


@pytest.mark.parametrize("status", [400, 404])
def test_a_surplus_batch_that_cannot_be_cancelled_holds_nothing_up(
    provider: Provider, waiting: ProviderBatch, status: int
) -> None:
    lose_two_creates(provider, waiting)
    refusal = httpx.Response(status, text="Cannot cancel it")
    provider.before = lambda call, _: refusal if call.endswith("/cancel") else None

    provider_batch = submit(waiting)

    assert provider_batch.status == Status.RUNNING
    assert provider_batch.remote_id == next(iter(provider.batches))
    assert told(provider_batch.batch, "could not be cancelled")


def test_of_two_batches_one_that_failed_before_it_ran_is_not_kept(
    provider: Provider, waiting: ProviderBatch
) -> None:
    lose_two_creates(provider, waiting)
    failed, running = provider.batches.values()
    failed["status"] = "failed"

    provider_batch = submit(waiting)

    assert provider_batch.remote_id == running["id"]
    assert running["status"] == "in_progress"


def test_a_create_that_left_a_failed_batch_behind_is_repeated(
    provider: Provider, waiting: ProviderBatch
) -> None:
    def break_down(call: str, request: httpx.Request) -> httpx.Response | None:
        if call != "POST /v1/batches":
            return None
        next(iter(provider.batches.values()))["status"] = "failed"
        return httpx.Response(500, text="Internal server error")

    provider.after = break_down
    submit(waiting)
    provider.after = lambda *_: None
    ProviderBatch.objects.update(create_attempted_at=timezone.now() - timedelta(hours=1))

    provider_batch = submit(waiting)

    assert provider_batch.status == Status.RUNNING
    assert provider.batches[provider_batch.remote_id]["status"] == "in_progress"


def test_a_file_the_provider_no_longer_has_is_sent_again(
    provider: Provider, waiting: ProviderBatch
) -> None:
    def forget(call: str, request: httpx.Request) -> httpx.Response | None:
        if call != "POST /v1/batches" or len(provider.files) > 1:
            return None
        return httpx.Response(404, text="File with ID x not found")

    provider.before = forget
    submit(waiting)
    # A file that was sent just now may only not be known yet.
    ProviderBatch.objects.update(upload_attempted_at=timezone.now() - timedelta(hours=1))
    provider_batch = submit(waiting)
    assert (provider_batch.status, provider_batch.parked_reason) == (Status.WAITING, "")

    provider_batch = submit(provider_batch)

    assert provider_batch.status == Status.RUNNING


def test_a_file_of_another_size_is_not_taken_for_ours(
    provider: Provider, waiting: ProviderBatch
) -> None:
    provider.after = lose_reply("POST /v1/files")
    submit(waiting)
    provider.after = lambda *_: None
    (cut_short,) = provider.files
    provider.sizes[cut_short] = 10

    provider_batch = submit(waiting)

    assert provider_batch.status == Status.RUNNING
    assert provider_batch.remote_file_id != cut_short


def test_cancelling_while_the_file_is_sent_creates_nothing(
    provider: Provider, waiting: ProviderBatch
) -> None:
    def cancel(call: str, request: httpx.Request) -> None:
        if call == "POST /v1/files":
            controls.request_cancel(waiting.batch, waiting.batch.created_by)

    provider.after = cancel
    provider_batch = submit(waiting)

    assert provider_batch.status == Status.CANCELLED
    assert provider.batches == {}


def test_cancelling_while_a_lost_create_is_looked_for_creates_no_second_one(
    provider: Provider, waiting: ProviderBatch
) -> None:
    def cancel(call: str, request: httpx.Request) -> None:
        if call == "GET /v1/batches":
            controls.request_cancel(waiting.batch, waiting.batch.created_by)

    provider.after = lose_reply("POST /v1/batches")
    submit(waiting)
    provider.hidden = set(provider.batches)
    ProviderBatch.objects.update(create_attempted_at=timezone.now() - timedelta(minutes=10))
    provider.after = cancel
    provider_batch = submit(waiting)

    assert (
        provider_batch.status == Status.WAITING
    )  # it may still turn up, and is to be stopped then
    assert "to stop it as soon as it is found" in problem_text(provider_batch.problem)
    provider.hidden = set()
    submit(waiting)
    advance(make_due(provider_batch))
    (batch,) = provider.batches.values()
    assert batch["status"] == "cancelled"


def test_bytes_that_are_gone_stop_for_a_person(provider: Provider, waiting: ProviderBatch) -> None:
    waiting.batch.upload.blob.delete(save=False)

    for _ in range(runner.MAX_CLAIMS):
        with pytest.raises(FileNotFoundError):
            submit(waiting)
    provider_batch = submit(waiting)

    assert provider_batch.parked_reason == Parked.NEEDS_ATTENTION


@pytest.mark.parametrize("status", [Status.PREPARING, Status.WAITING])
def test_cancelling_what_stopped_before_the_provider_is_the_end_of_it(
    waiting: ProviderBatch, status: Status
) -> None:
    batch = waiting.batch
    batch.key.ciphertext = "garbage"
    batch.key.save()
    provider_batch = set_state(
        batch, parked_reason=Parked.NEEDS_ATTENTION, status=status, next_check_at=None
    )

    assert controls.request_cancel(batch, batch.created_by)

    provider_batch.refresh_from_db()
    assert provider_batch.status == Status.CANCELLED


def test_what_cannot_even_be_sent_can_still_be_cancelled(waiting: ProviderBatch) -> None:
    waiting.batch.key.ciphertext = "garbage"
    waiting.batch.key.save()
    controls.request_cancel(waiting.batch, waiting.batch.created_by)

    provider_batch = submit(waiting)

    assert provider_batch.status == Status.CANCELLED


@pytest.mark.parametrize("refusal", [httpx.Response(402), httpx.Response(429)])
def test_a_refused_second_create_does_not_clear_the_doubt_about_the_first(
    provider: Provider, waiting: ProviderBatch, refusal: httpx.Response
) -> None:
    lose_create(provider, waiting)
    provider.before = lambda call, _: refusal if call == "POST /v1/batches" else None
    provider_batch = submit(waiting)
    provider.before = lambda *_: None
    provider.hidden = set()

    controls.try_again(provider_batch.batch, provider_batch.batch.created_by)
    provider_batch = submit(provider_batch)

    assert [provider_batch.remote_id] == list(provider.batches)

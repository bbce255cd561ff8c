"""Batches that were created outside the portal are imported once, then like any other."""

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from django import db
from django.utils import timezone

from batchapp import tasks
from batchapp.access import OPERATOR, NotAllowed
from batchapp.domain.money.unit_prices import UnitPrice
from batchapp.domain.results.outcome import Outcome
from batchapp.models import (
    Batch,
    BatchImport,
    OfferedModel,
    Project,
    ProviderBatch,
    ProviderKey,
    Upload,
    User,
)
from batchapp.models.batches.batch_import import BatchImportQuerySet
from batchapp.models.batches.provider_batch import TOKEN_KEY
from batchapp.presenters.problem_text import problem_text
from batchapp.services.files import upload_intake
from batchapp.services.imports import import_batch, start_import
from batchapp.services.lifecycle import retry_in_place
from batchapp.services.prices import price_table
from tests.fixtures import Clock
from tests.make import (
    MODEL,
    answer_line,
    error_line,
    make_batch,
    make_connection,
    make_key,
    make_project,
    make_upload,
    make_user,
    request_file,
    request_line,
    set_state,
)
from tests.provider import Provider
from tests.sentences import problem, timeline
from tests.steps import advance, make_due, run_steps
from tests.steps import run_step as step_part

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    return make_user()


@pytest.fixture
def project(user: User) -> Project:
    return make_project(user)


@pytest.fixture
def key(project: Project) -> ProviderKey:
    return make_key(project)


@pytest.fixture
def begin(project: Project, user: User, key: ProviderKey) -> Callable[[str], BatchImport]:
    def begin(remote: str) -> BatchImport:
        (batch_import,) = start_import.request_imports(project, user, key, [remote]).batch_imports
        return batch_import

    return begin


def step(batch_import: BatchImport) -> BatchImport:
    """Run the next step, and the check that it waits for."""
    BatchImport.objects.filter(pk=batch_import.pk).update(leased_until=None)
    advance(batch_import)
    batch_import.refresh_from_db()
    return batch_import


def run_import(batch_import: BatchImport) -> BatchImport:
    step(batch_import)
    if batch_import.upload:
        advance(batch_import.upload)
    return step(batch_import)


def follow(batch: Batch) -> Batch:
    """Run what is due until the batch is over, and ask for its bill."""
    for _ in range(20):
        provider_batch = make_due(ProviderBatch.objects.get(batch=batch))
        if not provider_batch.next_check_at:
            break
        advance(provider_batch)
    ProviderBatch.objects.start_settling()
    advance(batch)
    return Batch.objects.get(pk=batch.pk)


def batch_of(batch_import: BatchImport) -> Batch:
    assert (batch_import.status, batch_import.problem) == (BatchImport.Status.DONE, None)
    assert batch_import.batch
    return batch_import.batch


def test_a_completed_batch_is_imported_with_its_results_and_its_cost(
    provider: Provider, begin: Callable[[str], BatchImport], user: User
) -> None:
    remote = provider.run(request_file(3), name="by hand.jsonl", completion_window="1h")
    provider.finish([answer_line(3), answer_line(1)], [error_line(2)])

    batch_import = run_import(begin(remote))
    batch = follow(batch_of(batch_import))

    assert (batch.name, batch.window, batch.created_by) == ("by hand", "1h", user)
    assert (batch.status, batch.succeeded, batch.failed) == (Batch.Status.COMPLETED, 2, 1)
    assert batch.is_accounted_for
    assert batch.actual_cost_usd == Decimal("0.0008")
    assert batch.estimated_cost_usd
    assert batch.provider_batches.get().remote_id == remote
    assert "Imported from" in timeline(batch)[0]


def test_a_batch_that_runs_is_imported_whatever_is_known_of_its_model(
    provider: Provider, begin: Callable[[str], BatchImport], project: Project
) -> None:
    OfferedModel.objects.create(connection=project.connection, model=MODEL, kind="embeddings")
    remote = provider.run(request_file(3))

    batch_of(run_import(begin(remote)))

    assert make_upload(project).status == Upload.Status.FAULTY


def test_a_batch_with_fields_that_are_refused_by_now_is_imported(
    provider: Provider, begin: Callable[[str], BatchImport], project: Project
) -> None:
    project.connection.reasoning_effort_only = True
    project.connection.save()
    message = {"role": "user", "content": "Hello"}
    body = {"model": MODEL, "messages": [message], "thinking": {"type": "disabled"}}
    content = request_line(1, body=body).encode()
    remote = provider.run(content)

    batch_of(run_import(begin(remote)))

    assert make_upload(project, content=content + b"\n").status == Upload.Status.FAULTY


def test_requests_with_ids_in_any_script_are_imported_with_their_results(
    provider: Provider, begin: Callable[[str], BatchImport]
) -> None:
    ids = ["Zürich-1", "注文 2", "طلب\u2028😀"]
    lines = [request_line(number, custom_id=name) for number, name in enumerate(ids)]
    remote = provider.run("\n".join(lines).encode())
    provider.finish(
        [
            answer_line(number).replace(f"row-{number}".encode(), name.encode())
            for number, name in enumerate(ids)
        ]
    )

    batch = follow(batch_of(run_import(begin(remote))))

    assert (batch.status, batch.succeeded) == (Batch.Status.COMPLETED, 3)
    assert batch.is_accounted_for
    assert {row.custom_id for row in batch.results.all()} == set(ids)


def test_nothing_is_created_changed_or_cancelled_at_the_provider(
    provider: Provider, begin: Callable[[str], BatchImport]
) -> None:
    remote = provider.run(request_file(3))
    provider.finish([answer_line(n) for n in (1, 2, 3)])

    follow(batch_of(run_import(begin(remote))))

    assert {call.split()[0] for call in provider.calls} == {"GET"}


def test_a_running_batch_is_followed_to_its_end(
    provider: Provider, begin: Callable[[str], BatchImport]
) -> None:
    batch = batch_of(run_import(begin(provider.run(request_file(3)))))
    advance(batch.provider_batches.get())
    assert batch.provider_batches.get().status == ProviderBatch.Status.RUNNING
    assert batch.key.key_poll.next_check_at

    advance(make_due(batch.provider_batches.get()))
    assert batch.provider_batches.get().remote_status == "in_progress"
    provider.finish([answer_line(n) for n in (1, 2, 3)])

    assert follow(batch).succeeded == 3


def test_of_a_cancelled_batch_what_was_answered_is_kept(
    provider: Provider, begin: Callable[[str], BatchImport]
) -> None:
    remote = provider.run(request_file(3))
    provider.finish([answer_line(2)], status="cancelled")

    batch = follow(batch_of(run_import(begin(remote))))

    assert (batch.status, batch.succeeded, batch.cancelled) == (Batch.Status.CANCELLED, 1, 2)
    assert batch.results.get(custom_id="row-1").outcome == Outcome.CANCELLED


def test_a_batch_that_failed_before_anything_ran_ends_as_failed(
    provider: Provider, begin: Callable[[str], BatchImport]
) -> None:
    batch = batch_of(run_import(begin(provider.run(request_file(2), status="failed"))))

    batch = follow(batch)

    assert (batch.status, batch.missing) == (Batch.Status.FAILED, 2)


def test_a_batch_that_is_running_can_be_cancelled_like_any_other(
    provider: Provider, begin: Callable[[str], BatchImport]
) -> None:
    batch = batch_of(run_import(begin(remote := provider.run(request_file(2)))))
    Batch.objects.filter(pk=batch.pk).update(cancel_requested_at=timezone.now())

    assert follow(batch).status == Batch.Status.CANCELLED
    assert provider.batches[remote]["status"] == "cancelled"


def test_prices_are_those_of_the_time_when_the_batch_was_created(
    provider: Provider, begin: Callable[[str], BatchImport], project: Project
) -> None:
    remote = provider.run(request_file(2))
    row = project.connection.prices.get(window="24h")
    price_table.correct(row, OPERATOR, UnitPrice(Decimal(70), Decimal(70)))

    batch = batch_of(run_import(begin(remote)))

    model_cost = batch.model_costs.get()
    price = model_cost.unit_price
    assert (model_cost.model, price.input, price.output) == (MODEL, 1, 2)
    assert model_cost.realtime_price.input == 2


def test_a_window_that_the_connection_does_not_offer_is_kept_without_a_price(
    provider: Provider, begin: Callable[[str], BatchImport]
) -> None:
    remote = provider.run(request_file(2), completion_window="background")
    provider.finish([answer_line(1), answer_line(2)])

    batch = follow(batch_of(run_import(begin(remote))))

    assert (batch.window, batch.succeeded, batch.actual_cost_usd) == ("background", 2, None)


def test_what_the_provider_adds_to_the_metadata_says_nothing_here(
    provider: Provider, begin: Callable[[str], BatchImport], user: User
) -> None:
    metadata = {"context_name": "Another team", "created_by_email": "eve@example.com"}

    batch = batch_of(run_import(begin(provider.run(request_file(2), metadata=metadata))))

    assert (batch.name, batch.created_by) == ("elsewhere", user)
    assert "Another" not in "".join(timeline(batch))


def test_two_requests_import_a_batch_once(
    provider: Provider,
    begin: Callable[[str], BatchImport],
    project: Project,
    user: User,
    key: ProviderKey,
) -> None:
    remote = provider.run(request_file(2))

    first, second = begin(remote), begin(remote)
    run_import(first)
    run_import(second)
    late = start_import.request_imports(project, user, key, [remote])

    assert first.pk == second.pk
    assert (late.batch_imports, late.ids_in_portal) == ([], [remote])
    assert Batch.objects.count() == 1


def test_a_batch_of_another_project_is_here_already_and_nothing_else_is_said(
    provider: Provider, begin: Callable[[str], BatchImport], project: Project
) -> None:
    remote = provider.run(request_file(2))
    stranger = make_user()
    theirs = make_project(stranger, connection=project.connection)
    own = make_key(stranger, project.connection)
    assert begin(remote)

    begun = start_import.request_imports(theirs, stranger, own, [remote])

    assert (begun.batch_imports, begun.ids_in_portal) == ([], [remote])


def test_a_failed_import_of_another_project_is_not_in_the_way(
    provider: Provider, begin: Callable[[str], BatchImport], project: Project
) -> None:
    start_import.fail_import(begin(remote := provider.run(request_file(2))), problem("No."))
    stranger = make_user()
    theirs = make_project(stranger, connection=project.connection)
    own = make_key(stranger, project.connection)

    (batch_import,) = start_import.request_imports(theirs, stranger, own, [remote]).batch_imports
    batch = batch_of(run_import(batch_import))

    assert (batch.project, batch.created_by, batch.key) == (theirs, stranger, own)
    assert not project.batch_imports.exists()


def test_a_batch_that_the_portal_sent_itself_is_here_already(
    provider: Provider, project: Project, user: User, key: ProviderKey
) -> None:
    batch = make_batch(project, user, key=key)
    advance(batch.provider_batches.get())
    advance(batch.provider_batches.get())
    (remote,) = provider.batches

    begun = start_import.request_imports(project, user, key, [remote])
    with provider.client() as provider_api:
        offered = start_import.list_candidates(project, user, key, provider_api)

    assert begun.ids_in_portal == [remote]
    assert (offered.rows, offered.left_out) == ([], 1)


def test_a_batch_whose_confirmation_is_still_searched_for_is_not_imported(
    provider: Provider, project: Project, user: User, key: ProviderKey
) -> None:
    provider_batch = make_batch(project, user, key=key).provider_batches.get()
    set_state(
        provider_batch.batch,
        status=ProviderBatch.Status.WAITING,
        create_attempted_at=timezone.now(),
    )
    remote = provider.run(request_file(3), metadata={TOKEN_KEY: provider_batch.token})
    with provider.client() as provider_api:
        offered = start_import.list_candidates(project, user, key, provider_api)

    (batch_import,) = start_import.request_imports(project, user, key, [remote]).batch_imports
    step(batch_import)

    assert offered.rows == []
    assert batch_import.status == BatchImport.Status.FAILED
    assert "in the portal already" in problem_text(batch_import.problem)


@pytest.fixture
def elsewhere(project: Project) -> Project:
    """Another project, at the same provider through a connection of its own."""
    same = f"{project.connection.base_url.upper().replace('HTTPS', 'https')}:443/v1/"
    return make_project(make_user(), connection=make_connection(base_url=same))


def test_through_another_connection_to_the_same_provider_it_is_here_already(
    provider: Provider, begin: Callable[[str], BatchImport], elsewhere: Project
) -> None:
    on_its_way, followed = provider.run(request_file(2)), provider.run(request_file(2))
    begin(on_its_way)
    run_import(begin(followed))
    BatchImport.objects.filter(remote_id=followed).delete()
    key = make_key(elsewhere)

    colleague = elsewhere.members.get()
    begun = start_import.request_imports(elsewhere, colleague, key, [on_its_way, followed])
    with provider.client() as provider_api:
        offered = start_import.list_candidates(elsewhere, colleague, key, provider_api)

    assert (begun.batch_imports, begun.ids_in_portal) == ([], [on_its_way, followed])
    assert (offered.rows, offered.left_out) == ([], 2)


def test_of_two_connections_that_ask_at_the_same_instant_one_gets_it(
    provider: Provider,
    begin: Callable[[str], BatchImport],
    elsewhere: Project,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    remote = provider.run(request_file(2))
    first, second = begin(remote), begin(provider.run(request_file(2)))
    BatchImport.objects.filter(pk=second.pk).update(
        remote_id=remote,
        project=elsewhere,
        connection=elsewhere.connection,
        key=make_key(elsewhere),
        requested_by=elsewhere.members.get(),
    )
    run_import(first)
    with monkeypatch.context() as patch:  # it looked just before
        patch.setattr(BatchImportQuerySet, "followed_ids", lambda *_: set())
        second = run_import(second)

    assert second.status == BatchImport.Status.FAILED
    assert "in the portal already" in problem_text(second.problem)
    assert Batch.objects.count() == 1


@pytest.mark.parametrize("change", [{}, {"role": "viewer"}])
@pytest.mark.parametrize("steps", [0, 1])
def test_nothing_is_imported_for_a_person_who_left_the_project(
    provider: Provider,
    begin: Callable[[str], BatchImport],
    project: Project,
    change: dict[str, str],
    steps: int,
) -> None:
    batch_import = begin(provider.run(request_file(2)))
    for _ in range(steps):
        step(batch_import)
        advance(Upload.objects.get())
    if change:
        project.memberships.update(**change)
    else:
        project.memberships.all().delete()
    provider.calls.clear()

    step(batch_import)

    assert batch_import.status == BatchImport.Status.FAILED
    assert "works in the project no more" in problem_text(batch_import.problem)
    assert not Batch.objects.exists()
    assert provider.calls == []


def test_a_second_imported_batch_is_not_cancelled_when_the_first_is_retried_in_place(
    provider: Provider, project: Project, user: User, key: ProviderKey
) -> None:
    provider_batch = ProviderBatch.objects.get(batch=make_batch(project, user, key=key))
    advance(provider_batch)
    advance(provider_batch)
    provider.finish([answer_line(1)], [error_line(2), error_line(3)])
    batch = run_steps(provider_batch)
    ProviderBatch.objects.filter(pk=provider_batch.pk).update(may_have_duplicate=True)
    late = provider.run(request_file(3), metadata={TOKEN_KEY: provider_batch.token})
    (batch_import,) = start_import.request_imports(project, user, key, [late]).batch_imports
    batch_of(run_import(batch_import))
    unmatched_line = provider.run(request_file(3), metadata={TOKEN_KEY: provider_batch.token})

    retry_in_place.request_retry_in_place(batch, user)
    step_part(provider_batch)
    step_part(provider_batch)

    assert provider.batches[late]["status"] == "in_progress"
    assert provider.batches[unmatched_line]["status"] == "cancelled"


def test_candidates_name_their_files_and_come_page_by_page(
    provider: Provider,
    project: Project,
    user: User,
    key: ProviderKey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(start_import, "PAGE_SIZE", 2)
    remotes = [provider.run(request_file(1), name=f"{n}.jsonl") for n in range(3)]

    with provider.client() as provider_api:
        first = start_import.list_candidates(project, user, key, provider_api)
        second = start_import.list_candidates(project, user, key, provider_api, first.after)

    assert [each.file_name for each in first.rows] == ["2.jsonl", "1.jsonl"]
    assert [each.remote.id for each in second.rows] == [remotes[0]]
    assert second.after == ""


def test_candidates_are_listed_although_the_files_cannot_be(
    provider: Provider, project: Project, user: User, key: ProviderKey
) -> None:
    remote = provider.run(request_file(1))
    broken = httpx.Response(500)
    provider.before = lambda call, request: broken if call == "GET /v1/files" else None

    with provider.client() as provider_api:
        offered = start_import.list_candidates(project, user, key, provider_api)

    assert [(each.remote.id, each.file_name) for each in offered.rows] == [(remote, "")]


def test_a_key_that_is_not_for_this_person_and_project_is_refused(
    project: Project, user: User
) -> None:
    foreign = make_key(make_user(), project.connection)

    with pytest.raises(NotAllowed):
        start_import.request_imports(project, user, foreign, [str(uuid.uuid4())])

    assert not BatchImport.objects.exists()


def gone(provider: Provider) -> str:
    return str(uuid.uuid4())


def without_file(provider: Provider) -> str:
    return provider.run(request_file(2), input_file_id="")


def with_a_lost_file(provider: Provider) -> str:
    return provider.run(request_file(2), input_file_id=str(uuid.uuid4()))


def too_large(provider: Provider) -> str:
    return provider.run(request_file(20))


def larger_than_it_said(provider: Provider) -> str:
    remote = provider.run(request_file(20))
    provider.sizes.clear()
    return remote


def of_blank_lines_without_end(provider: Provider) -> str:
    def answer(call: str, request: httpx.Request) -> httpx.Response | None:
        blanks = (b"\n" * 1000 for _ in range(10_000))
        return httpx.Response(200, content=blanks) if call.endswith("/content") else None

    remote = provider.run(request_file(2))
    provider.before = answer
    return remote


def cut_short(provider: Provider) -> str:
    return provider.run(request_file(2), request_counts={"total": 3, "completed": 0, "failed": 0})


def overfull(provider: Provider) -> str:
    return provider.run(request_file(4), request_counts={"total": 3, "completed": 0, "failed": 0})


def with_duplicate_ids(provider: Provider) -> str:
    return provider.run("\n".join([request_line(1), request_line(1)]).encode())


def with_an_odd_request(provider: Provider) -> str:
    return provider.run("\n".join([request_line(1), request_line(2, body={})]).encode())


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (gone, "knows no batch"),
        (without_file, "was deleted at"),
        (with_a_lost_file, "was deleted at"),
        (too_large, "larger than the portal takes"),
        (larger_than_it_said, "larger than the portal takes"),
        (of_blank_lines_without_end, "larger than the portal takes"),
        (cut_short, "counts 3 requests in this batch, but sent 2"),
        (overfull, "counts 3 requests in this batch, but sent 4"),
        (with_duplicate_ids, "have the same custom_id"),
        (with_an_odd_request, "the check here finds errors in it"),
    ],
)
def test_what_cannot_be_followed_is_refused_with_a_sentence(
    provider: Provider,
    begin: Callable[[str], BatchImport],
    project: Project,
    made: Callable[[Provider], str],
    sentence: str,
) -> None:
    project.connection.max_upload_bytes = 2_000
    project.connection.save()

    batch_import = run_import(begin(made(provider)))

    assert batch_import.status == BatchImport.Status.FAILED
    assert sentence in problem_text(batch_import.problem)
    assert batch_import.next_check_at is None
    assert not Batch.objects.exists()


def test_a_provider_that_does_not_answer_is_asked_again_later(
    provider: Provider, begin: Callable[[str], BatchImport], clock: Clock
) -> None:
    clock.stop()
    batch_import = begin(provider.run(request_file(2)))
    provider.before = lambda call, request: httpx.Response(503)
    step(batch_import)
    assert (batch_import.status, batch_import.failures) == (BatchImport.Status.FETCHING, 1)
    assert "the portal keeps trying" in problem_text(batch_import.problem)
    assert batch_import.next_check_at
    assert batch_import.next_check_at > timezone.now()

    provider.before = lambda call, request: None

    assert batch_of(run_import(batch_import))


def test_a_refused_key_is_reported_at_the_import_and_at_the_key(
    provider: Provider, begin: Callable[[str], BatchImport], key: ProviderKey
) -> None:
    batch_import = begin(provider.run(request_file(2)))
    provider.before = lambda call, request: httpx.Response(401, text="Authentication required")

    step(batch_import)
    key.refresh_from_db()

    assert batch_import.status == BatchImport.Status.FAILED
    assert "refused the key" in problem_text(batch_import.problem)
    assert key.is_refused


def test_a_key_that_was_removed_meanwhile_is_reported(
    provider: Provider, begin: Callable[[str], BatchImport], key: ProviderKey
) -> None:
    batch_import = begin(provider.run(request_file(2)))
    step(batch_import)
    advance(Upload.objects.get())
    ProviderKey.objects.filter(pk=key.pk).update(ciphertext="")

    step(batch_import)

    assert batch_import.status == BatchImport.Status.FAILED
    assert "removed" in problem_text(batch_import.problem)
    assert not Batch.objects.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (upload_intake, "receive_file"),
        (start_import, "attach_file"),
        (import_batch, "enter_batch"),
        (import_batch, "_save_batch"),
        (start_import, "record_batch"),
    ],
)
def test_a_worker_that_dies_between_two_steps_leaves_nothing_twice(
    provider: Provider,
    begin: Callable[[str], BatchImport],
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    name: str,
) -> None:
    batch_import = begin(provider.run(request_file(2)))
    original = getattr(module, name)

    def dies(*args: Any, **kwargs: Any) -> None:
        original(*args, **kwargs)
        raise ZeroDivisionError

    with monkeypatch.context() as dying:
        dying.setattr(module, name, dies)
        with pytest.raises(ZeroDivisionError):
            run_import(batch_import)

    batch = batch_of(run_import(batch_import))

    assert Batch.objects.get() == batch
    assert ProviderBatch.objects.count() == Upload.objects.count() == 1
    assert batch.events.count() == 1


def test_an_import_that_kills_its_workers_is_given_up_with_a_sentence(
    provider: Provider, begin: Callable[[str], BatchImport]
) -> None:
    batch_import = begin(provider.run(request_file(2)))
    BatchImport.objects.update(claims=10)

    step(batch_import)

    assert batch_import.status == BatchImport.Status.FAILED
    assert "broke off several times" in problem_text(batch_import.problem)


def test_a_file_that_was_deleted_here_meanwhile_is_reported_and_fetched_again(
    provider: Provider, begin: Callable[[str], BatchImport]
) -> None:
    batch_import = step(begin(provider.run(request_file(2))))
    upload_intake.remove(Upload.objects.get(), batch_import.requested_by)

    step(batch_import)
    assert (batch_import.status, batch_import.batch) == (BatchImport.Status.FAILED, None)
    assert "was deleted here" in problem_text(batch_import.problem)
    start_import.retry_import(batch_import, batch_import.requested_by)

    assert batch_of(run_import(batch_import)).requests == 2


def test_trying_again_fetches_anew_and_uses_the_file_that_is_here(
    provider: Provider, begin: Callable[[str], BatchImport]
) -> None:
    batch_import = begin(provider.run(request_file(2)))
    step(batch_import)
    Upload.objects.update(
        status=Upload.Status.FAILED, problem=problem("The disk broke."), next_check_at=None
    )
    step(batch_import)
    assert (batch_import.status, problem_text(batch_import.problem)) == (
        BatchImport.Status.FAILED,
        "The disk broke.",
    )

    start_import.retry_import(batch_import, batch_import.requested_by)

    assert batch_of(run_import(batch_import)).upload == Upload.objects.get()


def test_only_what_failed_can_be_dismissed(begin: Callable[[str], BatchImport]) -> None:
    batch_import = begin(str(uuid.uuid4()))

    assert not start_import.dismiss(batch_import, batch_import.requested_by)
    start_import.fail_import(batch_import, problem("No."))
    assert start_import.dismiss(batch_import, batch_import.requested_by)
    assert not BatchImport.objects.exists()


def test_a_tick_wakes_what_is_due(begin: Callable[[str], BatchImport], woken: list[str]) -> None:
    batch_import, later = begin(str(uuid.uuid4())), begin(str(uuid.uuid4()))
    BatchImport.objects.filter(pk=later.pk).update(
        next_check_at=timezone.now() + timedelta(hours=1)
    )

    tasks.tick()

    assert woken == [str(batch_import.pk)]


@pytest.mark.django_db(transaction=True)
def test_two_projects_that_ask_at_the_same_instant_do_not_both_get_it() -> None:
    connection, remote = make_connection(), str(uuid.uuid4())
    people = [make_user(), make_user()]
    projects = [make_project(each, connection=connection) for each in people]
    keys = [make_key(each) for each in projects]
    both = threading.Barrier(2)

    def ask(number: int) -> start_import.StartedImports:
        try:
            both.wait(60)
            return start_import.request_imports(
                projects[number], people[number], keys[number], [remote]
            )
        finally:
            db.connection.close()

    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(ask, range(2)))

    assert sorted(len(each.batch_imports) for each in answers) == [0, 1]
    assert sorted(each.ids_in_portal for each in answers) == [[], [remote]]
    assert BatchImport.objects.count() == 1

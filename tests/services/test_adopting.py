"""Batches that were made elsewhere: brought in once, then like any other."""

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
from batchapp.domain.money.unit_prices import UnitPrice
from batchapp.domain.results.outcome import Outcome
from batchapp.models import Adoption, Batch, Part, Project, ProviderKey, Upload, User
from batchapp.models.batches.batch_import import AdoptionQuerySet
from batchapp.models.batches.provider_batch import TOKEN_KEY
from batchapp.services.files import upload_intake
from batchapp.services.imports import batch_imports
from batchapp.services.lifecycle import retry_in_place
from batchapp.services.orders import enter_import
from batchapp.services.prices import price_table
from tests.make import (
    MODEL,
    answer_line,
    error_line,
    make_batch,
    make_connection,
    make_key,
    make_project,
    make_user,
    request_file,
    request_line,
    set_part,
)
from tests.provider import Provider
from tests.steps import due, go_on
from tests.steps import step as step_part

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
def begin(project: Project, user: User, key: ProviderKey) -> Callable[[str], Adoption]:
    def begin(remote: str) -> Adoption:
        (adoption,) = batch_imports.begin(project, user, key, [remote]).adoptions
        return adoption

    return begin


def step(adoption: Adoption) -> Adoption:
    """Run the next step, and the check that it waits for."""
    Adoption.objects.filter(pk=adoption.pk).update(leased_until=None)
    tasks.adopt(str(adoption.pk))
    adoption.refresh_from_db()
    return adoption


def bring_in(adoption: Adoption) -> Adoption:
    step(adoption)
    if adoption.upload:
        tasks.check(str(adoption.upload.pk))
    return step(adoption)


def follow(batch: Batch) -> Batch:
    """Run what is due until the batch is over, and ask for its bill."""
    for _ in range(20):
        part = due(Part.objects.get(batch=batch))
        if (todo := tasks.STEPS.get((Part, part.status))) is None:
            break
        todo(str(part.pk))
    Part.objects.end_batches()
    tasks.settle(str(batch.pk))
    return Batch.objects.get(pk=batch.pk)


def batch_of(adoption: Adoption) -> Batch:
    assert (adoption.status, adoption.trouble) == (Adoption.Status.DONE, "")
    assert adoption.batch
    return adoption.batch


def test_a_completed_batch_is_brought_in_with_its_results_and_its_cost(
    provider: Provider, begin: Callable[[str], Adoption], user: User
) -> None:
    remote = provider.run(request_file(3), name="by hand.jsonl", completion_window="1h")
    provider.finish([answer_line(3), answer_line(1)], [error_line(2)])

    adoption = bring_in(begin(remote))
    batch = follow(batch_of(adoption))

    assert (batch.name, batch.window, batch.created_by) == ("by hand", "1h", user)
    assert (batch.status, batch.succeeded, batch.failed) == (Batch.Status.COMPLETED, 2, 1)
    assert batch.is_accounted_for
    assert batch.actual_cost_usd == Decimal("0.0008")
    assert batch.estimated_cost_usd
    assert batch.parts.get().upstream_id == remote
    assert "Brought in from" in batch.events.all()[0].text


def test_nothing_is_created_changed_or_cancelled_at_the_provider(
    provider: Provider, begin: Callable[[str], Adoption]
) -> None:
    remote = provider.run(request_file(3))
    provider.finish([answer_line(n) for n in (1, 2, 3)])

    follow(batch_of(bring_in(begin(remote))))

    assert {call.split()[0] for call in provider.calls} == {"GET"}


def test_a_running_batch_is_followed_to_its_end(
    provider: Provider, begin: Callable[[str], Adoption]
) -> None:
    batch = batch_of(bring_in(begin(provider.run(request_file(3)))))
    tasks.prepare(str(batch.parts.get().pk))
    assert batch.parts.get().status == Part.Status.RUNNING
    assert batch.key.watch.next_check_at

    tasks.poll(str(due(batch.parts.get()).pk))
    assert batch.parts.get().upstream_status == "in_progress"
    provider.finish([answer_line(n) for n in (1, 2, 3)])

    assert follow(batch).succeeded == 3


def test_of_a_cancelled_batch_what_was_answered_is_kept(
    provider: Provider, begin: Callable[[str], Adoption]
) -> None:
    remote = provider.run(request_file(3))
    provider.finish([answer_line(2)], status="cancelled")

    batch = follow(batch_of(bring_in(begin(remote))))

    assert (batch.status, batch.succeeded, batch.cancelled) == (Batch.Status.CANCELLED, 1, 2)
    assert batch.results.get(custom_id="row-1").outcome == Outcome.CANCELLED


def test_one_that_failed_before_anything_ran_ends_as_failed(
    provider: Provider, begin: Callable[[str], Adoption]
) -> None:
    batch = batch_of(bring_in(begin(provider.run(request_file(2), status="failed"))))

    batch = follow(batch)

    assert (batch.status, batch.missing) == (Batch.Status.FAILED, 2)


def test_a_batch_that_is_running_can_be_cancelled_like_any_other(
    provider: Provider, begin: Callable[[str], Adoption]
) -> None:
    batch = batch_of(bring_in(begin(remote := provider.run(request_file(2)))))
    Batch.objects.filter(pk=batch.pk).update(cancel_requested_at=timezone.now())

    assert follow(batch).status == Batch.Status.CANCELLED
    assert provider.batches[remote]["status"] == "cancelled"


def test_prices_are_those_of_the_time_when_it_was_made(
    provider: Provider, begin: Callable[[str], Adoption], project: Project
) -> None:
    remote = provider.run(request_file(2))
    row = project.connection.prices.get(window="24h")
    price_table.correct(row, UnitPrice(Decimal(70), Decimal(70)))

    batch = batch_of(bring_in(begin(remote)))

    charge = batch.charges.get()
    assert (charge.model, charge.input_price, charge.output_price) == (MODEL, 1, 2)
    assert charge.realtime_input_price == 2


def test_a_window_that_the_connection_does_not_offer_is_kept_without_a_price(
    provider: Provider, begin: Callable[[str], Adoption]
) -> None:
    remote = provider.run(request_file(2), completion_window="background")
    provider.finish([answer_line(1), answer_line(2)])

    batch = follow(batch_of(bring_in(begin(remote))))

    assert (batch.window, batch.succeeded, batch.actual_cost_usd) == ("background", 2, None)


def test_what_the_provider_adds_to_the_metadata_says_nothing_here(
    provider: Provider, begin: Callable[[str], Adoption], user: User
) -> None:
    told = {"context_name": "Another team", "created_by_email": "eve@example.com"}

    batch = batch_of(bring_in(begin(provider.run(request_file(2), metadata=told))))

    assert (batch.name, batch.created_by) == ("elsewhere", user)
    assert "Another" not in "".join(batch.events.values_list("text", flat=True))


def test_asking_twice_brings_it_in_once(
    provider: Provider,
    begin: Callable[[str], Adoption],
    project: Project,
    user: User,
    key: ProviderKey,
) -> None:
    remote = provider.run(request_file(2))

    first, second = begin(remote), begin(remote)
    bring_in(first)
    bring_in(second)
    late = batch_imports.begin(project, user, key, [remote])

    assert first.pk == second.pk
    assert (late.adoptions, late.here) == ([], [remote])
    assert Batch.objects.count() == 1


def test_a_batch_of_another_project_is_here_already_and_nothing_else_is_said(
    provider: Provider, begin: Callable[[str], Adoption], project: Project
) -> None:
    remote = provider.run(request_file(2))
    stranger = make_user()
    theirs = make_project(stranger, connection=project.connection)
    own = make_key(stranger, project.connection)
    assert begin(remote)

    begun = batch_imports.begin(theirs, stranger, own, [remote])

    assert (begun.adoptions, begun.here) == ([], [remote])


def test_what_another_project_failed_to_bring_in_is_not_in_the_way(
    provider: Provider, begin: Callable[[str], Adoption], project: Project
) -> None:
    batch_imports.refuse(begin(remote := provider.run(request_file(2))), "No.")
    stranger = make_user()
    theirs = make_project(stranger, connection=project.connection)
    own = make_key(stranger, project.connection)

    (adoption,) = batch_imports.begin(theirs, stranger, own, [remote]).adoptions
    batch = batch_of(bring_in(adoption))

    assert (batch.project, batch.created_by, batch.key) == (theirs, stranger, own)
    assert not project.adoptions.exists()


def test_a_batch_that_the_portal_sent_itself_is_here_already(
    provider: Provider, project: Project, user: User, key: ProviderKey
) -> None:
    batch = make_batch(project, user, key=key)
    tasks.prepare(str(batch.parts.get().pk))
    tasks.submit(str(batch.parts.get().pk))
    (remote,) = provider.batches

    begun = batch_imports.begin(project, user, key, [remote])
    with provider.client() as upstream:
        offered = batch_imports.candidates(key, upstream)

    assert begun.here == [remote]
    assert (offered.rows, offered.here) == ([], 1)


def test_a_batch_whose_confirmation_is_still_looked_for_is_not_brought_in_beside_it(
    provider: Provider, project: Project, user: User, key: ProviderKey
) -> None:
    part = make_batch(project, user, key=key).parts.get()
    set_part(part.batch, status=Part.Status.WAITING, create_attempted_at=timezone.now())
    remote = provider.run(request_file(3), metadata={TOKEN_KEY: part.token})
    with provider.client() as upstream:
        offered = batch_imports.candidates(key, upstream)

    (adoption,) = batch_imports.begin(project, user, key, [remote]).adoptions
    step(adoption)

    assert offered.rows == []
    assert adoption.status == Adoption.Status.FAILED
    assert "in the portal already" in adoption.trouble


@pytest.fixture
def elsewhere(project: Project) -> Project:
    """Another project, at the same provider through a connection of its own."""
    same = f"{project.connection.base_url.upper().replace('HTTPS', 'https')}:443/v1/"
    return make_project(make_user(), connection=make_connection(base_url=same))


def test_through_another_connection_to_the_same_provider_it_is_here_already(
    provider: Provider, begin: Callable[[str], Adoption], elsewhere: Project
) -> None:
    on_its_way, followed = provider.run(request_file(2)), provider.run(request_file(2))
    begin(on_its_way)
    bring_in(begin(followed))
    Adoption.objects.filter(upstream_id=followed).delete()
    key = make_key(elsewhere)

    begun = batch_imports.begin(elsewhere, elsewhere.members.get(), key, [on_its_way, followed])
    with provider.client() as upstream:
        offered = batch_imports.candidates(key, upstream)

    assert (begun.adoptions, begun.here) == ([], [on_its_way, followed])
    assert (offered.rows, offered.here) == ([], 2)


def test_of_two_connections_that_ask_at_the_same_instant_one_gets_it(
    provider: Provider,
    begin: Callable[[str], Adoption],
    elsewhere: Project,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    remote = provider.run(request_file(2))
    first, second = begin(remote), begin(provider.run(request_file(2)))
    Adoption.objects.filter(pk=second.pk).update(
        upstream_id=remote,
        project=elsewhere,
        connection=elsewhere.connection,
        key=make_key(elsewhere),
        asked_by=elsewhere.members.get(),
    )
    bring_in(first)
    with monkeypatch.context() as patch:  # it looked just before
        patch.setattr(AdoptionQuerySet, "followed", lambda *_: set())
        second = bring_in(second)

    assert second.status == Adoption.Status.FAILED
    assert "in the portal already" in second.trouble
    assert Batch.objects.count() == 1


@pytest.mark.parametrize("change", [{}, {"role": "viewer"}])
@pytest.mark.parametrize("steps", [0, 1])
def test_of_somebody_who_left_the_project_nothing_is_brought_in(
    provider: Provider,
    begin: Callable[[str], Adoption],
    project: Project,
    change: dict[str, str],
    steps: int,
) -> None:
    adoption = begin(provider.run(request_file(2)))
    for _ in range(steps):
        step(adoption)
        tasks.check(str(Upload.objects.get().pk))
    if change:
        project.memberships.update(**change)
    else:
        project.memberships.all().delete()
    provider.calls.clear()

    step(adoption)

    assert adoption.status == Adoption.Status.FAILED
    assert "works in the project no more" in adoption.trouble
    assert not Batch.objects.exists()
    assert provider.calls == []


def test_a_second_batch_that_was_brought_in_is_not_cancelled_with_the_first_one_reopened(
    provider: Provider, project: Project, user: User, key: ProviderKey
) -> None:
    part = Part.objects.get(batch=make_batch(project, user, key=key))
    tasks.prepare(str(part.pk))
    tasks.submit(str(part.pk))
    provider.finish([answer_line(1)], [error_line(2), error_line(3)])
    batch = go_on(part)
    Part.objects.filter(pk=part.pk).update(may_have_twin=True)
    late = provider.run(request_file(3), metadata={TOKEN_KEY: part.token})
    (adoption,) = batch_imports.begin(project, user, key, [late]).adoptions
    batch_of(bring_in(adoption))
    stray = provider.run(request_file(3), metadata={TOKEN_KEY: part.token})

    retry_in_place.request_reopening(batch, user)
    step_part(part)
    step_part(part)

    assert provider.batches[late]["status"] == "in_progress"
    assert provider.batches[stray]["status"] == "cancelled"


def test_candidates_name_their_files_and_come_page_by_page(
    provider: Provider, key: ProviderKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_imports, "PAGE", 2)
    remotes = [provider.run(request_file(1), name=f"{n}.jsonl") for n in range(3)]

    with provider.client() as upstream:
        first = batch_imports.candidates(key, upstream)
        second = batch_imports.candidates(key, upstream, first.after)

    assert [each.file_name for each in first.rows] == ["2.jsonl", "1.jsonl"]
    assert [each.remote.id for each in second.rows] == [remotes[0]]
    assert second.after == ""


def test_candidates_are_listed_although_the_files_cannot_be(
    provider: Provider, key: ProviderKey
) -> None:
    remote = provider.run(request_file(1))
    broken = httpx.Response(500)
    provider.before = lambda call, request: broken if call == "GET /v1/files" else None

    with provider.client() as upstream:
        offered = batch_imports.candidates(key, upstream)

    assert [(each.remote.id, each.file_name) for each in offered.rows] == [(remote, "")]


def test_a_key_that_is_not_for_this_person_and_project_is_refused(
    project: Project, user: User
) -> None:
    foreign = make_key(make_user(), project.connection)

    with pytest.raises(batch_imports.Refused):
        batch_imports.begin(project, user, foreign, [str(uuid.uuid4())])

    assert not Adoption.objects.exists()


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


def cut_short(provider: Provider) -> str:
    return provider.run(request_file(2), request_counts={"total": 3, "completed": 0, "failed": 0})


def overfull(provider: Provider) -> str:
    return provider.run(request_file(4), request_counts={"total": 3, "completed": 0, "failed": 0})


def with_twins(provider: Provider) -> str:
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
        (cut_short, "counts 3 requests in this batch, and gave out 2"),
        (overfull, "counts 3 requests in this batch, and gave out 4"),
        (with_twins, "have the same custom_id"),
        (with_an_odd_request, "the check here finds errors in it"),
    ],
)
def test_what_cannot_be_followed_is_refused_with_a_sentence(
    provider: Provider,
    begin: Callable[[str], Adoption],
    project: Project,
    made: Callable[[Provider], str],
    sentence: str,
) -> None:
    project.connection.max_upload_bytes = 2_000
    project.connection.save()

    adoption = bring_in(begin(made(provider)))

    assert adoption.status == Adoption.Status.FAILED
    assert sentence in adoption.trouble
    assert adoption.next_check_at is None
    assert not Batch.objects.exists()


def test_a_provider_that_does_not_answer_is_asked_again_later(
    provider: Provider, begin: Callable[[str], Adoption]
) -> None:
    adoption = begin(provider.run(request_file(2)))
    provider.before = lambda call, request: httpx.Response(503)
    step(adoption)
    assert (adoption.status, adoption.failures) == (Adoption.Status.FETCHING, 1)
    assert "the portal keeps trying" in adoption.trouble
    assert adoption.next_check_at
    assert adoption.next_check_at > timezone.now()

    provider.before = lambda call, request: None

    assert batch_of(bring_in(adoption))


def test_a_refused_key_is_told_of_here_and_at_the_key(
    provider: Provider, begin: Callable[[str], Adoption], key: ProviderKey
) -> None:
    adoption = begin(provider.run(request_file(2)))
    provider.before = lambda call, request: httpx.Response(401, text="Authentication required")

    step(adoption)
    key.refresh_from_db()

    assert adoption.status == Adoption.Status.FAILED
    assert "refused the key" in adoption.trouble
    assert key.is_refused


def test_a_key_that_was_removed_meanwhile_is_told_of(
    provider: Provider, begin: Callable[[str], Adoption], key: ProviderKey
) -> None:
    adoption = begin(provider.run(request_file(2)))
    step(adoption)
    tasks.check(str(Upload.objects.get().pk))
    ProviderKey.objects.filter(pk=key.pk).update(ciphertext="")

    step(adoption)

    assert adoption.status == Adoption.Status.FAILED
    assert "removed" in adoption.trouble
    assert not Batch.objects.exists()


@pytest.mark.parametrize(
    ("room", "name"),
    [
        (upload_intake, "receive"),
        (batch_imports, "keep"),
        (enter_import, "adopt"),
        (enter_import, "_enter"),
        (batch_imports, "finish"),
    ],
)
def test_a_worker_that_dies_between_two_steps_leaves_nothing_twice(
    provider: Provider,
    begin: Callable[[str], Adoption],
    monkeypatch: pytest.MonkeyPatch,
    room: Any,
    name: str,
) -> None:
    adoption = begin(provider.run(request_file(2)))
    whole = getattr(room, name)

    def dies(*args: Any, **kwargs: Any) -> None:
        whole(*args, **kwargs)
        raise ZeroDivisionError

    with monkeypatch.context() as dying:
        dying.setattr(room, name, dies)
        with pytest.raises(ZeroDivisionError):
            bring_in(adoption)

    batch = batch_of(bring_in(adoption))

    assert Batch.objects.get() == batch
    assert Part.objects.count() == Upload.objects.count() == 1
    assert batch.events.count() == 1


def test_one_that_kills_its_workers_is_given_up_with_a_sentence(
    provider: Provider, begin: Callable[[str], Adoption]
) -> None:
    adoption = begin(provider.run(request_file(2)))
    Adoption.objects.update(claims=10)

    step(adoption)

    assert adoption.status == Adoption.Status.FAILED
    assert "broke off several times" in adoption.trouble


def test_a_file_that_was_deleted_here_meanwhile_is_told_of_and_fetched_again(
    provider: Provider, begin: Callable[[str], Adoption]
) -> None:
    adoption = step(begin(provider.run(request_file(2))))
    upload_intake.remove(Upload.objects.get())

    step(adoption)
    assert (adoption.status, adoption.batch) == (Adoption.Status.FAILED, None)
    assert "was deleted here" in adoption.trouble
    batch_imports.try_again(adoption)

    assert batch_of(bring_in(adoption)).requests == 2


def test_trying_again_fetches_anew_and_uses_the_file_that_is_here(
    provider: Provider, begin: Callable[[str], Adoption]
) -> None:
    adoption = begin(provider.run(request_file(2)))
    step(adoption)
    Upload.objects.update(status=Upload.Status.FAILED, error="The disk broke.", next_check_at=None)
    step(adoption)
    assert (adoption.status, adoption.trouble) == (Adoption.Status.FAILED, "The disk broke.")

    batch_imports.try_again(adoption)

    assert batch_of(bring_in(adoption)).upload == Upload.objects.get()


def test_only_what_failed_can_be_dismissed(begin: Callable[[str], Adoption]) -> None:
    adoption = begin(str(uuid.uuid4()))

    assert not batch_imports.dismiss(adoption)
    batch_imports.refuse(adoption, "No.")
    assert batch_imports.dismiss(adoption)
    assert not Adoption.objects.exists()


def test_a_tick_wakes_what_is_due(
    begin: Callable[[str], Adoption], monkeypatch: pytest.MonkeyPatch
) -> None:
    woken: list[str] = []
    monkeypatch.setattr(tasks.adopt, "delay", woken.append)
    adoption, later = begin(str(uuid.uuid4())), begin(str(uuid.uuid4()))
    Adoption.objects.filter(pk=later.pk).update(next_check_at=timezone.now() + timedelta(hours=1))

    tasks.tick()

    assert woken == [str(adoption.pk)]


@pytest.mark.django_db(transaction=True)
def test_two_projects_that_ask_at_the_same_instant_do_not_both_get_it() -> None:
    connection, remote = make_connection(), str(uuid.uuid4())
    people = [make_user(), make_user()]
    projects = [make_project(each, connection=connection) for each in people]
    keys = [make_key(each) for each in projects]
    both = threading.Barrier(2)

    def ask(number: int) -> batch_imports.Begun:
        try:
            both.wait(10)
            return batch_imports.begin(projects[number], people[number], keys[number], [remote])
        finally:
            db.connection.close()

    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(ask, range(2)))

    assert sorted(len(each.adoptions) for each in answers) == [0, 1]
    assert sorted(each.here for each in answers) == [[], [remote]]
    assert Adoption.objects.count() == 1

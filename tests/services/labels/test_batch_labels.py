"""Tags and cost centres: what an order gives, what is inherited, and what people change."""

import threading
import uuid
from typing import Any

import pytest
from django.db import connection

from batchapp.domain.batch_labels import Labels
from batchapp.domain.results.outcome import Outcome
from batchapp.domain.results.retry_selection import Selection
from batchapp.models import Batch, BatchTag, Event, EventKind, Project, Tag, Upload, User
from batchapp.presenters.event_text import event_text
from batchapp.services.files import upload_intake
from batchapp.services.labels import batch_labels
from batchapp.services.orders import place_order
from batchapp.services.orders.order_labels import inherited_labels
from batchapp.services.results import retry_file
from tests.make import (
    answer_line,
    error_line,
    finish,
    make_batch,
    make_key,
    make_project,
    make_table,
    make_upload,
    make_user,
)

pytestmark = pytest.mark.django_db
LABELS = Labels(("north", "urgent"), "CC 1")


def order(upload: Upload, user: User, **fields: Any) -> Batch:
    return place_order.place_order(
        upload.project,
        user,
        upload,
        make_key(upload.project),
        window="24h",
        submission=uuid.uuid4(),
        **fields,
    )


@pytest.fixture
def batch(project: Project, user: User) -> Batch:
    batch = finish(make_batch(project, user), [answer_line(1)], [error_line(2), error_line(3)])
    batch_labels.set_labels(batch, user, LABELS)
    return batch


def test_an_order_gives_tags_and_a_cost_centre(upload_of_user: Upload, user: User) -> None:
    batch = order(upload_of_user, user, labels=Labels(("Urgent", "north", "urgent"), " CC  1 "))

    assert Batch.objects.get(pk=batch.pk).labels == LABELS


@pytest.fixture
def upload_of_user(project: Project, user: User) -> Upload:
    return make_upload(project, user)


def test_a_new_batch_has_the_cost_centre_of_its_project(
    upload_of_user: Upload, user: User
) -> None:
    Project.objects.update(cost_centre="CC 9")
    upload = Upload.objects.get(pk=upload_of_user.pk)

    assert order(upload, user).labels == Labels((), "CC 9")
    assert order(upload, user, labels=Labels()).labels == Labels()


def test_a_retry_inherits_what_its_batch_has_now(batch: Batch, user: User) -> None:
    selection = Selection(frozenset({Outcome.PROVIDER_ERROR}))
    upload = retry_file.request_retry_file(batch, user, selection, submission=uuid.uuid4())
    retry_file.write_retry_file(upload)
    upload_intake.check_upload(upload)

    assert order(upload, user).labels == LABELS


def test_a_batch_of_answers_inherits_from_the_batch_that_gave_them(
    batch: Batch, user: User
) -> None:
    table = make_table(batch.project, user)
    table.answers_of = batch
    table.save()
    upload = make_upload(batch.project, user)
    upload.table = table

    assert inherited_labels(upload) == LABELS


def test_a_change_is_an_event_and_the_same_again_is_none(batch: Batch, user: User) -> None:
    assert batch_labels.set_labels(batch, user, Labels(("north", "late"), ""))
    assert not batch_labels.set_labels(batch, user, Labels(("late", "north"), ""))

    events = Event.objects.filter(batch=batch, kind=EventKind.LABELLED)
    first, second = [event_text(event) for event in events]
    assert first == "Added the tags north, urgent. The cost centre is now CC 1."
    assert second.startswith("Added the tag late. Removed the tag urgent. The cost centre was")
    assert events.last().actor == user


def test_a_project_proposes_its_own_tags_while_a_batch_has_them(batch: Batch, user: User) -> None:
    other = make_batch(make_project(user), user)
    batch_labels.set_labels(other, user, Labels(("secret",)))

    assert batch_labels.tags_of_project(batch.project) == ["north", "urgent"]
    batch_labels.set_labels(batch, user, Labels(("north",)))
    assert batch_labels.tags_of_project(batch.project) == ["north"]
    assert set(Tag.objects.values_list("name", flat=True)) == {"north", "urgent", "secret"}


def test_many_batches_change_at_once_and_full_ones_stay(
    batch: Batch, user: User, django_assert_max_num_queries: Any
) -> None:
    full = make_batch(batch.project, user)
    names = [f"tag-{number}" for number in range(10)]
    batch_labels.set_labels(full, user, Labels(tuple(names)))
    batches = [batch, full, *(make_batch(batch.project, user) for _ in range(3))]

    with django_assert_max_num_queries(16):
        changed = batch_labels.change_tags(batches, user, add=["North", "new"], remove=["urgent"])

    assert changed == [batch, *batches[2:]]
    assert [Batch.objects.get(pk=row.pk).labels.tags for row in batches] == [
        ("new", "north"),
        tuple(names),
        *[("new", "north")] * 3,
    ]
    assert Event.objects.filter(kind=EventKind.LABELLED, batch=batches[2]).count() == 1


def test_batches_of_another_project_are_refused_and_nothing_is_written(
    batch: Batch, user: User
) -> None:
    foreign = make_batch(make_project(make_user()))

    with pytest.raises(batch_labels.access.NotAllowed):
        batch_labels.change_tags([batch, foreign], user, add=["new"])

    assert not Tag.objects.filter(name="new").exists()


@pytest.mark.django_db(transaction=True)
def test_two_who_add_tags_at_once_never_give_a_batch_too_many(
    project: Project, user: User
) -> None:
    batch = make_batch(project, user)
    start = threading.Barrier(2)

    def add(prefix: str) -> None:
        start.wait()
        batch_labels.change_tags([batch], user, add=[f"{prefix}{n}" for n in range(6)])
        connection.close()

    threads = [threading.Thread(target=add, args=[prefix]) for prefix in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert BatchTag.objects.filter(batch=batch).count() == 6


def test_deleting_a_project_takes_its_tags_along(project: Project) -> None:
    Tag.objects.create(project=project, name="urgent")

    project.delete()

    assert not Tag.objects.exists()

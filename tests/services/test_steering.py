"""What people ask for at the same moment."""

import threading

import pytest
from django.db import connection

from batchapp.models import Batch, Part, ProviderKey, StaleRow
from batchapp.services import steering
from tests.make import make_batch, make_key, make_project, make_user, set_part


@pytest.mark.django_db(transaction=True)
def test_two_people_who_try_again_with_different_keys_get_one_of_them() -> None:
    user = make_user()
    project = make_project(user)
    batch = make_batch(project, user)
    set_part(
        batch,
        status=Part.Status.NEEDS_ATTENTION,
        stopped_in=Part.Status.WAITING,
        next_check_at=None,
    )
    keys = [make_key(user, project.connection) for _ in range(2)]
    start, moved, refused = threading.Barrier(2), [], []

    def race(key: ProviderKey) -> None:
        try:
            mine = Batch.objects.get(pk=batch.pk)
            start.wait()
            moved.append((steering.try_again(mine, user, key), key))
        except StaleRow:
            refused.append(key)
        finally:
            connection.close()

    racers = [threading.Thread(target=race, args=[key]) for key in keys]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()

    assert len(moved) + len(refused) == 2
    (winner,) = [key for number, key in moved if number]
    batch.refresh_from_db()
    assert batch.key == winner
    assert batch.events.filter(text=f"Asked to try again, on the key {winner}.").count() == 1

"""How long answers take, from the team's own batches."""

import pytest

from batchapp.models import ProviderBatch
from batchapp.services.orders.answer_times import seconds_per_answer
from tests.make import MODEL, ended_batch

pytestmark = pytest.mark.django_db


def test_the_fastest_batch_says_how_long_an_answer_takes_at_most(project):
    ended_batch(project, 100, minutes=60)
    ended_batch(project, 100, minutes=30)

    assert seconds_per_answer(project, [MODEL], 10) == pytest.approx(180, abs=1)


def test_small_unfinished_and_split_batches_say_nothing(project):
    ended_batch(project, 5, minutes=1)
    running = ended_batch(project, 100, minutes=1)
    ProviderBatch.objects.filter(pk=running.pk).update(ended_at=None)
    split = ended_batch(project, 100, minutes=1)
    ProviderBatch.objects.create(batch=split.batch, number=2)

    assert seconds_per_answer(project, [MODEL], 10) is None
    assert seconds_per_answer(project, ["another"], 10) is None

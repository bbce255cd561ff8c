"""When a message is sent again, and when an endpoint is given up."""

from datetime import timedelta

from batchapp.domain.webhooks import retries
from batchapp.domain.webhooks.retries import is_given_up, pause_after, wait_after


def test_eight_attempts_take_about_thirty_hours_and_then_there_is_no_more() -> None:
    waits = [wait_after(attempts) for attempts in range(1, 9)]

    assert waits[-1] is None
    total = sum((wait for wait in waits if wait), timedelta())
    assert timedelta(hours=27) < total < timedelta(hours=34)
    assert waits[:-1] == sorted(waits[:-1])


def test_messages_that_failed_together_do_not_all_come_back_together() -> None:
    assert len({wait_after(3) for _ in range(20)}) > 10


def test_a_receiver_may_ask_for_a_longer_wait_and_not_for_a_shorter_or_endless_one() -> None:
    asked = wait_after(1, timedelta(minutes=10))
    shorter = wait_after(4, timedelta(seconds=1))
    endless = wait_after(1, timedelta(days=300))

    assert asked == timedelta(minutes=10)
    assert shorter is not None
    assert shorter > timedelta(hours=1)
    assert endless == retries.LONGEST_REQUESTED_WAIT


def test_an_endpoint_is_left_alone_for_longer_with_each_failure_up_to_an_hour() -> None:
    pauses = [pause_after(failures) for failures in range(1, 40)]

    assert pauses[:4] == [timedelta(seconds=seconds) for seconds in (1, 2, 4, 8)]
    assert pauses[-1] == timedelta(hours=1)
    assert pauses == sorted(pauses)


def test_an_endpoint_is_given_up_after_many_failures_over_days_and_not_by_either_alone() -> None:
    assert is_given_up(16, timedelta(hours=72))
    assert not is_given_up(1000, timedelta(hours=71))
    assert not is_given_up(15, timedelta(days=300))

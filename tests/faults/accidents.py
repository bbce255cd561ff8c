"""What befalls the services of the team stack: they are lost, and come back."""

import signal
import time
from collections.abc import Callable

import redis

from tests.stack import Server, Servers

AWAY = 5.0
"""Seconds that a service stays down: a lease's length, in the tests."""

Accident = tuple[str, Callable[[], None]]
"""Its name, and what makes it happen; it returns when the service is back."""


def to_redis(running: Servers) -> list[Accident]:
    def flush() -> None:
        with redis.Redis.from_url(running.urls["BROKER_URL"]) as broker:
            broker.flushall()

    return [
        ("Redis flushed", flush),
        ("Redis restarted", _restart(running.redis)),
        ("Redis killed", _restart(running.redis, signal.SIGKILL)),
    ]


def to_postgres(running: Servers) -> list[Accident]:
    return [
        ("PostgreSQL restarted", _restart(running.postgres)),
        # Its own word for "at once, without tidying up": the next start recovers from the log.
        ("PostgreSQL crashed", _restart(running.postgres, signal.SIGQUIT)),
    ]


def _restart(server: Server, by: signal.Signals | None = None) -> Callable[[], None]:
    def happen() -> None:
        server.stop(by)
        time.sleep(AWAY)
        server.start()

    return happen

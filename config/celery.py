"""The Celery application, for ``celery -A config``."""

import logging
import os
from typing import Any

from celery import Celery, bootsteps
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# Django's checks import every page, which worker and beat do not show; `serve` runs the checks.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

logger = logging.getLogger(__name__)


class EndWithKilledChild(bootsteps.StartStopStep):
    """End a worker that may never take another task, so that it is restarted.

    With the filesystem broker the children of a worker wait for tasks behind one lock. If a child
    is killed while it holds the lock, such as by a host short of memory, the others wait for ever.
    """

    requires = ("celery.worker.components:Pool",)

    def start(self, parent: Any) -> None:
        pool = parent.pool._pool
        # With Redis each child has its own pipe, and a hook of Celery replaces dead children.
        if getattr(pool, "on_process_down", True) is None:
            pool.on_process_down = self._end_worker

    @staticmethod
    def _end_worker(child: Any) -> None:
        if child.exitcode and child.exitcode < 0:
            logger.critical("A child was killed by signal %d; ending.", -child.exitcode)
            os._exit(1)  # the leases of the other children's rows expire


app = Celery("batchapp")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["worker"].add(EndWithKilledChild)


@setup_logging.connect
def leave_logging_to_settings(**_: object) -> None:
    """Keep Celery from configuring logs: it does not if this signal has a receiver."""

"""The task queue's application; `celery -A config` finds it here."""

import logging
import os
from typing import Any

from celery import Celery, bootsteps
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

logger = logging.getLogger(__name__)


class EndWithAKilledChild(bootsteps.StartStopStep):
    """Ends a worker that may never take another task, so that it is started again.

    With a broker of files its children wait for tasks behind one lock. One that is killed there,
    as by a host short of memory, leaves the lock taken, and the others would wait for ever.
    """

    requires = ("celery.worker.components:Pool",)

    def start(self, parent: Any) -> None:
        pool = parent.pool._pool
        # With Redis each child has a pipe of its own, and Celery's own hook replaces the dead.
        if getattr(pool, "on_process_down", True) is None:
            pool.on_process_down = self._notice

    @staticmethod
    def _notice(child: Any) -> None:
        if child.exitcode and child.exitcode < 0:
            logger.critical("A child was killed by signal %d; ending.", -child.exitcode)
            os._exit(1)  # leases bring back what the other children were at


app = Celery("batchapp")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["worker"].add(EndWithAKilledChild)


@setup_logging.connect
def leave_logging_to_settings(**_: object) -> None:
    """Keep Celery from setting up logs of its own: it does not where somebody listens here."""

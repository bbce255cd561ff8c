"""The task queue's application; `celery -A config` finds it here."""

import os

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("batchapp")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def leave_logging_to_settings(**_: object) -> None:
    """Keep Celery from setting up logs of its own: it does not where somebody listens here."""

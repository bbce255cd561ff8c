"""The Celery application of beat, for ``celery -A config.beat beat``.

Beat sends the name of a task at its time, and runs none. Without the models and the tasks of the
portal it starts in half of the time and takes half of the memory.
"""

import os

from celery import Celery
from celery.signals import setup_logging
from django.conf import settings
from django.utils.log import configure_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("batchapp", fixups=[])  # that of Django would load the portal
app.config_from_object("django.conf:settings", namespace="CELERY")


@setup_logging.connect
def set_up_logs(**_: object) -> None:
    """Write logs as the settings say; Celery configures none if this signal has a receiver."""
    configure_logging(settings.LOGGING_CONFIG, settings.LOGGING)

import time

from django.apps import AppConfig

# Seconds since the epoch. Django imports this module at once, and others at the first request.
STARTED_AT = time.time()


class BatchappConfig(AppConfig):
    name = "batchapp"
    verbose_name = "Batch portal"

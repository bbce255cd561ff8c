"""Django's configuration of the application, its admin, and its start time."""

import time

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.core import checks

from batchapp.storage.checks import check_storage

# Seconds since the epoch. Django imports this module at once, and others at the first request.
STARTED_AT = time.time()


class BatchappConfig(AppConfig):
    name = "batchapp"
    verbose_name = "Batchapp"

    def ready(self) -> None:
        from batchapp.models.fields import bounded_lookups  # noqa: PLC0415  # needs all models

        bounded_lookups.register()
        checks.register(check_storage, "storage", deploy=True)


class PortalAdminConfig(admin_apps.AdminConfig):
    default = False  # the label "batchapp" means the other one
    default_site = "batchapp.admin_site.PortalAdminSite"

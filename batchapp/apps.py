from django.apps import AppConfig


class BatchappConfig(AppConfig):
    name = "batchapp"
    verbose_name = "Batch portal"

"""The configuration of the portal: settings, entry points, and the task queue."""

from config.celery import app as celery_app

__all__ = ["celery_app"]

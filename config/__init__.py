"""How the portal is put together: settings, entry points, the task queue."""

from config.celery import app as celery_app

__all__ = ["celery_app"]

"""The table of the cache where no Redis is at hand."""

from django.db import models


class CacheEntry(models.Model):
    """One value that the processes of the portal share until it expires.

    Django's database cache reads and writes the table. It is a model so that a migration creates
    it, without a command that somebody has to run.
    """

    cache_key = models.CharField(primary_key=True, max_length=255)
    value = models.TextField()
    expires = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.cache_key

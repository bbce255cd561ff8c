"""Polls of all running batches of a provider key with one request."""

from datetime import timedelta
from typing import ClassVar

from django.db import models
from django.utils import timezone

from batchapp.models.fields.leased_row import LeasedRow, LeasedRowQuerySet
from batchapp.models.providers.connection import Connection
from batchapp.models.providers.provider_key import ProviderKey

FIRST_POLL_DELAY = timedelta(seconds=2)  # a batch that was just accepted may end at once


class KeyPollQuerySet(LeasedRowQuerySet["KeyPoll"]):
    def poll_soon(self, key: ProviderKey) -> None:
        """Poll ``key`` soon: a provider batch of this key has begun to run."""
        key_poll, _ = self.get_or_create(key=key)
        soon = timezone.now() + FIRST_POLL_DELAY
        later = models.Q(next_check_at=None) | models.Q(next_check_at__gt=soon)
        self.filter(later, pk=key_poll.pk).update(next_check_at=soon)

    def resume(self, key: ProviderKey) -> None:
        """Poll ``key`` again if its polls had stopped: one of its provider batches still runs."""
        self.filter(key=key, next_check_at=None).update(next_check_at=timezone.now())


KeyPollManager = models.Manager.from_queryset(KeyPollQuerySet)


class KeyPoll(LeasedRow):
    """The repeated poll of one provider key, which lists the batches of its account.

    One list covers a hundred batches, so a poll costs little however many batches run. A provider
    batch that was in no list for ``key_poll_timeout`` is polled by itself.
    """

    class Status(models.TextChoices):
        POLLING = "polling", "Polling"

    TRANSITIONS: ClassVar[dict[str, set[str]]] = {Status.POLLING: set()}

    key = models.OneToOneField(
        ProviderKey, models.CASCADE, primary_key=True, related_name="key_poll", editable=False
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.POLLING)

    objects = KeyPollManager()

    def __str__(self) -> str:
        return f"poll of {self.key}"

    @property
    def connection(self) -> Connection:
        return self.key.connection

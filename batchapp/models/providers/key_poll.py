"""Keys whose running batches are looked at together."""

from datetime import timedelta
from typing import ClassVar

from django.db import models
from django.utils import timezone

from batchapp.models.fields.leased_row import LeasedRow, LeasedRowQuerySet
from batchapp.models.providers.provider_key import ProviderKey

SOON = timedelta(seconds=2)
"""A batch that was just accepted may be done in no time."""


class KeyPollQuerySet(LeasedRowQuerySet["KeyPoll"]):
    def poll_soon(self, key: ProviderKey) -> None:
        """See that ``key`` is watched, and soon: a part of it has begun to run."""
        key_poll, _ = self.get_or_create(key=key)
        soon = timezone.now() + SOON
        later = models.Q(next_check_at=None) | models.Q(next_check_at__gt=soon)
        self.filter(later, pk=key_poll.pk).update(next_check_at=soon)

    def resume(self, key: ProviderKey) -> None:
        """See that ``key`` is watched again, if it rests: a part of it runs after all."""
        self.filter(key=key, next_check_at=None).update(next_check_at=timezone.now())


KeyPollManager = models.Manager.from_queryset(KeyPollQuerySet)


class KeyPoll(LeasedRow):
    """One provider key whose account's list of batches is read round by round.

    A list covers a hundred batches, so that a round costs little however many run. It only saves
    requests: a part that no round has seen for a while is asked for by itself.
    """

    class Status(models.TextChoices):
        WATCHING = "watching", "Watching"

    TRANSITIONS: ClassVar[dict[str, set[str]]] = {Status.WATCHING: set()}

    key = models.OneToOneField(
        ProviderKey, models.CASCADE, primary_key=True, related_name="key_poll", editable=False
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.WATCHING)

    objects = KeyPollManager()

    def __str__(self) -> str:
        return f"watch of {self.key}"

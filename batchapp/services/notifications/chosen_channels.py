"""Read what people chose for the notices of one kind."""

from collections.abc import Collection
from typing import NamedTuple

from django.db.models import F, Q

from batchapp.models import NoticeKind, NoticePreferences, NoticeSettings, Project
from batchapp.models.notifications.preferences import DEFAULT_CHANNELS, Channels


class Chosen(NamedTuple):
    """What a person chose: ``digest`` and ``quiet_below`` are as in ``NoticeSettings``."""

    channels: Channels
    digest: str
    quiet_below: int


def chosen_channels(
    people: Collection[int], kind: NoticeKind, project: Project | None
) -> dict[int, Chosen]:
    """Return the choice of each of ``people``, who are given by id; two queries for all.

    What a person chose for ``project`` counts before what holds for all projects.
    """
    rows = NoticePreferences.objects.filter(Q(project=project) | Q(project=None))
    rows = rows.filter(person__in=people, kind=kind)
    general_first = rows.order_by(F("project").asc(nulls_first=True))
    channels = {row.person_id: row.channels for row in general_first}
    settings = NoticeSettings.objects.in_bulk(people)
    unset = NoticeSettings()
    return {
        pk: Chosen(
            channels.get(pk, DEFAULT_CHANNELS[kind]),
            settings.get(pk, unset).digest,
            settings.get(pk, unset).quiet_below,
        )
        for pk in people
    }

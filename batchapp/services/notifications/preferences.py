"""Read and change what a person wants to be told of."""

from collections.abc import Iterable, Mapping

from django.db import transaction
from django.db.models import QuerySet

from batchapp import access
from batchapp.models import NoticeKind, NoticePreferences, NoticeSettings, Project, User
from batchapp.models.notifications.preferences import DEFAULT_CHANNELS, Channels


def channels_of(user: User, project: Project | None) -> dict[NoticeKind, Channels]:
    """Return the channels of ``user`` by kind: for all projects, or those in ``project``."""
    channels = dict(DEFAULT_CHANNELS)
    rows = NoticePreferences.objects.filter(person=user, project=None)
    for row in [*rows, *(_rows(user, project) if project else [])]:
        if row.kind in channels:  # a newer version may have had more kinds
            channels[NoticeKind(row.kind)] = row.channels
    return channels


def has_own(user: User, project: Project) -> bool:
    """Return True if ``user`` has preferences for ``project`` alone."""
    return _rows(user, project).exists()


def projects_with_own(user: User) -> list[Project]:
    rows = NoticePreferences.objects.filter(person=user).exclude(project=None)
    projects = Project.objects.visible_to(user).filter(pk__in=rows.values("project"))
    return list(projects)


def save_channels(
    user: User, project: Project | None, channels: Mapping[NoticeKind, Channels]
) -> None:
    """Store the channels of ``user``, for all projects or for ``project`` alone."""
    _require(user, project)
    with transaction.atomic():
        _rows(user, project).delete()
        NoticePreferences.objects.bulk_create(
            [_preference(user, project, kind, chosen) for kind, chosen in channels.items()]
        )


def forget_project(user: User, project: Project) -> None:
    """Let ``project`` have the preferences of all projects again."""
    _require(user, project)
    _rows(user, project).delete()


def settings_of(user: User) -> NoticeSettings:
    row = NoticeSettings.objects.filter(person=user).first()
    return row or NoticeSettings(person=user)


def save_settings(user: User, *, digest: str, quiet_below: int) -> None:
    _require(user, None)
    NoticeSettings.objects.update_or_create(
        person=user, defaults={"digest": digest, "quiet_below": quiet_below}
    )


def switch_off_emails(user: User, kinds: Iterable[NoticeKind]) -> None:
    """Send ``user`` no e-mails of these kinds any more, of no project.

    The link of an e-mail allows this without a sign-in, and nothing else.
    """
    kinds = list(kinds)
    with transaction.atomic():
        own = NoticePreferences.objects.filter(person=user, kind__in=kinds)
        own.update(by_email=False)
        missing = set(kinds) - set(own.filter(project=None).values_list("kind", flat=True))
        NoticePreferences.objects.bulk_create(
            [
                _preference(user, None, NoticeKind(kind), DEFAULT_CHANNELS[NoticeKind(kind)])
                for kind in missing
            ],
            ignore_conflicts=True,
        )
        own.update(by_email=False)


def _require(user: User, project: Project | None) -> None:
    access.require_in_person(user)
    if project:
        access.require_see(user, project)


def _rows(user: User, project: Project | None) -> QuerySet[NoticePreferences]:
    return NoticePreferences.objects.filter(person=user, project=project)


def _preference(
    user: User, project: Project | None, kind: NoticeKind, chosen: Channels
) -> NoticePreferences:
    return NoticePreferences(
        person=user,
        project=project,
        kind=kind,
        in_inbox=chosen.in_inbox,
        by_email=chosen.by_email,
        in_browser=chosen.in_browser,
        of_others=chosen.of_others,
    )

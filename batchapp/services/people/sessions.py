"""The browsers in which a person is signed in: seen lately, listed, signed out."""

from datetime import datetime, timedelta

from allauth.usersessions.models import UserSession
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from batchapp.models import AuditEvent, AuditKind, User

SEEN_KEY = "seen_at"  # in the session: seconds since 1970 when its row was last written
SEEN_EVERY = timedelta(minutes=5)  # so that not each page writes to the database
AWAY_KEY = "away"  # in the session: when the person left and came back last, in ISO form
AWAY_AFTER = timedelta(minutes=30)  # without a page; a meeting or a lunch is longer


def note_activity(request: HttpRequest, user: User) -> None:
    """Store that the browser of ``request`` was seen now, at most once in ``SEEN_EVERY``."""
    now = timezone.now()
    signed_in_at = user.last_login.timestamp() if user.last_login else 0.0
    seen_at = float(request.session.get(SEEN_KEY, signed_in_at))
    if now.timestamp() - seen_at < SEEN_EVERY.total_seconds():
        return
    request.session[SEEN_KEY] = now.timestamp()
    UserSession.objects.create_from_request(request, user=user)


def note_presence(request: HttpRequest, user: User) -> None:
    """Store that ``user`` opened a page now, and in the session how long the person was away."""
    now, seen_at = timezone.now(), user.last_seen_at
    if seen_at and now - seen_at < SEEN_EVERY:
        return
    # Of two pages that are opened at once, one finds the time as it was read.
    rows = User.objects.filter(pk=user.pk, last_seen_at=seen_at)
    if rows.update(last_seen_at=now) and seen_at and now - seen_at >= AWAY_AFTER:
        request.session[AWAY_KEY] = [seen_at.isoformat(), now.isoformat()]


def time_away(request: HttpRequest) -> tuple[datetime, datetime] | None:
    """Return when the person left and came back, before this visit; None if that is not known."""
    away = request.session.get(AWAY_KEY)
    if away is None:
        return None
    left, came_back = (datetime.fromisoformat(time) for time in away)
    return left, came_back


def forget_time_away(request: HttpRequest) -> None:
    request.session.pop(AWAY_KEY, None)


def list_sessions(user: User, session_key: str | None) -> list[tuple[UserSession, bool]]:
    """Return the sessions of ``user``, the one with ``session_key`` first, and if it is that one.

    Sessions that ended are forgotten.
    """
    rows = UserSession.objects.purge_and_list(user)
    rows.sort(key=lambda row: (row.session_key != session_key, -row.last_seen_at.timestamp()))
    return [(row, row.session_key == session_key) for row in rows]


def end_session(user: User, pk: int) -> bool:
    """Sign ``user`` out in one browser; False if that is not a session of ``user``."""
    row = UserSession.objects.filter(user=user, pk=pk).first()
    if row is None:
        return False
    _end([row], user)
    return True


def end_other_sessions(user: User, session_key: str | None) -> int:
    """Sign ``user`` out in all browsers but that with ``session_key``; return how many."""
    rows = list(UserSession.objects.filter(user=user).exclude(session_key=session_key))
    _end(rows, user)
    return len(rows)


def _end(rows: list[UserSession], user: User) -> None:
    if not rows:
        return
    with transaction.atomic():
        for row in rows:
            row.end()
        AuditEvent.objects.record(AuditKind.SESSIONS_ENDED, user, sessions=len(rows))

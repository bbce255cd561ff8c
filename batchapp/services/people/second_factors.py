"""Remove the second factors that a person has lost; only administrators may."""

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.db import transaction

from batchapp import access
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import AuditEvent, AuditKind, User


def remove_second_factors(person: User, actor: User) -> int:
    """Let ``person`` sign in by the password alone, and end all sessions of the person.

    Whoever found a lost phone may be signed in on it. Recovery codes go as well. Returns how many
    apps and passkeys were removed.

    Raises:
        NotAllowed: ``actor`` is no administrator; nothing was written.
        Refused: it is the own account, whose factors are removed in the profile, where the
            password is asked for once more; nothing was written.
    """
    access.require_administer(actor)
    if person.pk == actor.pk:
        raise Refused(Refusal.OWN_SECOND_FACTOR)
    with transaction.atomic():
        factors = list(Authenticator.objects.select_for_update().filter(user=person))
        removed = [row.type for row in factors if row.type != Authenticator.Type.RECOVERY_CODES]
        if not removed:
            return 0
        Authenticator.objects.filter(user=person).delete()
        for session in UserSession.objects.filter(user=person):
            session.end()
        for kind in removed:
            AuditEvent.objects.record(
                AuditKind.SECOND_FACTOR_REMOVED, actor, type=kind, person=person.email
            )
    return len(removed)

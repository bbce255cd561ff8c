"""Change the rule of a project by which batches need approval."""

from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction

from batchapp import access
from batchapp.models import AuditEvent, AuditKind, Membership, Project, User


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """What an owner decides; the fields are those of ``Project``, without their prefix."""

    above_usd: Decimal | None
    by_most: bool
    if_unbounded: bool
    of_own: bool
    days: int


def settings_of(project: Project) -> PolicySettings:
    return PolicySettings(
        project.approval_above_usd,
        project.approval_by_most,
        project.approval_if_unbounded,
        project.approval_of_own,
        project.approval_days,
    )


def set_policy(project: Project, user: User, settings: PolicySettings, address: str = "") -> bool:
    """Let ``settings`` hold for new orders; False if they hold already.

    Batches that wait for approval wait on.

    Raises:
        NotAllowed: nothing was written.
    """
    access.require_manage_in_person(user, project)
    with transaction.atomic():
        stored = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        before = settings_of(stored)
        if before == settings:
            return False
        Project.objects.filter(pk=project.pk).update(
            approval_above_usd=settings.above_usd,
            approval_by_most=settings.by_most,
            approval_if_unbounded=settings.if_unbounded,
            approval_of_own=settings.of_own,
            approval_days=settings.days,
        )
        AuditEvent.objects.record(
            AuditKind.APPROVAL_POLICY_CHANGED,
            user,
            project,
            address=address,
            before=_facts(before),
            after=_facts(settings),
        )
    return True


def _facts(settings: PolicySettings) -> dict[str, str | bool | int | None]:
    amount = settings.above_usd
    return {
        "above_usd": None if amount is None else f"{amount.normalize():f}",
        "by_most": settings.by_most,
        "if_unbounded": settings.if_unbounded,
        "of_own": settings.of_own,
        "days": settings.days,
    }


def approvers_of(project: Project, asker: User) -> list[User]:
    """Return the active owners who may approve the batches that ``asker`` orders."""
    owners = Membership.objects.of_people().filter(
        project=project, role=Membership.Role.OWNER, user__is_active=True
    )
    if not project.approval_of_own:
        owners = owners.exclude(user=asker)
    return [row.user for row in owners.select_related("user")]

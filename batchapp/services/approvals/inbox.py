"""Find the approvals that a person may decide, asked for, or may see."""

from django.db.models import Q, QuerySet

from batchapp import access
from batchapp.models import ApprovalRequest, Membership, Project, User


def waiting_for(user: User) -> QuerySet[ApprovalRequest]:
    """Return the pending requests that ``user`` may decide, those that expire first before."""
    rows = ApprovalRequest.objects.pending()
    if not access.acts_in_person(user):
        return rows.none()
    owned = Membership.objects.held_by(user).in_role(user, Membership.Role.OWNER)
    rows = rows.filter(batch__project__in=owned.values("project"), batch__project__deleted_at=None)
    rows = rows.exclude(Q(batch__created_by=user), Q(batch__project__approval_of_own=False))
    return rows.order_by("expires_at", "pk")


def asked_by(user: User) -> QuerySet[ApprovalRequest]:
    """Return the requests of all states for batches of ``user``, the newest first."""
    return visible_to(user).filter(batch__created_by=user)


def decided(user: User) -> QuerySet[ApprovalRequest]:
    """Return what was decided in the projects of ``user``, the newest decision first."""
    rows = visible_to(user).exclude(state=ApprovalRequest.State.PENDING)
    return rows.order_by("-decided_at", "-pk")


def visible_to(user: User) -> QuerySet[ApprovalRequest]:
    """Return all requests in the projects of ``user``, the newest first."""
    return ApprovalRequest.objects.filter(batch__project__in=Project.objects.visible_to(user))

"""Who a command acts for."""

from django.core.management.base import CommandError

from batchapp.models import Membership, Project, User


def member_of(project: Project, email: str | None) -> User:
    """The person with that address, or the first admin of ``project``; no viewer.

    Raises:
        CommandError: there is no such person.
    """
    members = project.memberships.exclude(role=Membership.Role.VIEWER).select_related("user")
    if email:
        members = members.filter(user__email=email.strip().lower())
    member = members.order_by("role", "pk").first()  # "admin" sorts before "member"
    if member is None:
        who = email or "Nobody"
        raise CommandError(f"{who} may not submit in the project {project.slug}.")
    return member.user

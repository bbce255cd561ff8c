"""The person on whose behalf a command acts."""

from django.core.management.base import CommandError

from batchapp.models import Membership, Project, User


def member_of(project: Project, email: str | None) -> User:
    """Return the member with that address, else the first admin of ``project``.

    Raises:
        CommandError: there is no such member, or the person is only a viewer.
    """
    members = project.memberships.exclude(role=Membership.Role.VIEWER).select_related("user")
    if email:
        members = members.filter(user__email=email.strip().lower())
    member = members.order_by("role", "pk").first()  # "admin" sorts before "member"
    if member is None:
        raise CommandError(f"{email or 'Nobody'} may not submit in the project {project.slug}.")
    return member.user

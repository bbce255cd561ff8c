"""The project, the person and the provider key that the options of a command name."""

from django.core.management.base import CommandError

from batchapp.access import WRITERS
from batchapp.models import Project, ProviderKey, User


def project_of(slug: str) -> Project:
    project = Project.objects.filter(slug=slug).first()
    if project is None:
        raise CommandError(f"There is no project {slug!r}.")
    return project


def member_of(project: Project, email: str | None) -> User:
    """Return the member with that address, else the first admin of ``project``.

    Raises:
        CommandError: there is no such member, or the person is only a viewer, or deactivated.
    """
    members = project.memberships.filter(role__in=WRITERS, user__is_active=True)
    members = members.select_related("user")
    if email:
        members = members.filter(user__email=email.strip().lower())
    member = members.order_by("role", "pk").first()  # "admin" sorts before "member"
    if member is None:
        raise CommandError(f"{email or 'Nobody'} may not submit in the project {project.slug}.")
    return member.user


def key_of(project: Project, user: User, name: str | None = None) -> ProviderKey:
    """Return the newest usable key of the project, else of the person.

    ``name`` is the name of the key or its last four characters.

    Raises:
        CommandError: there is no such key, or ``name`` fits several.
    """
    usable = ProviderKey.objects.usable_by(user, project)
    keys = [key for key in usable if name in {None, key.name, key.last_four}]
    if name and len(keys) > 1:
        raise CommandError(f"There are {len(keys)} keys that {name!r} may mean.")
    if not keys:
        which = f"provider key {name!r}" if name else "provider key"
        raise CommandError(
            f"Neither {user.email} nor the project {project.slug} has a {which} for "
            f"{project.connection}. Add one with `manage.py bootstrap --provider-key`."
        )
    return ([key for key in keys if key.project_id] or keys)[-1]

"""Create and rename projects."""

from django.db import transaction

from batchapp import access
from batchapp.models import Membership, Project, User


def create_project(project: Project, user: User) -> None:
    """Save ``project``, with ``user`` as its first admin.

    Raises:
        NotAllowed: nothing was written.
        IntegrityError: another project has its slug; nothing was written.
    """
    access.require_create(user)
    with transaction.atomic():
        project.save(force_insert=True)
        Membership.objects.create(project=project, user=user, role=Membership.Role.ADMIN)


def rename_project(project: Project, user: User, name: str) -> None:
    """Change the name; the address stays.

    Raises:
        NotAllowed: nothing was written.
    """
    access.require_manage(user, project)
    Project.objects.filter(pk=project.pk).update(name=name)

"""The project, the batch, the person and the provider key that the options of a command name."""

from argparse import ArgumentParser
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.db.models import Case, Q, When

from batchapp.access import WRITERS
from batchapp.domain.batch_labels import Labels, clean_cost_centre, read_tags
from batchapp.domain.refused import Refused
from batchapp.models import Batch, Membership, Project, ProviderKey, User
from batchapp.presenters.refusal_text import refusal_text


def project_of(slug: str) -> Project:
    project = Project.objects.filter(slug=slug, deleted_at=None).first()
    if project is None:
        raise CommandError(f"There is no project {slug!r}.")
    return project


def batch_of(text: str) -> Batch:
    rows = Batch.objects.select_related("project__connection", "upload", "key")
    try:
        return rows.get(pk=text)
    except (Batch.DoesNotExist, ValidationError) as exc:
        raise CommandError(f"There is no batch {text!r}.") from exc


def member_of(project: Project, email: str | None) -> User:
    """Return the member with that address, else the first owner of ``project``.

    Raises:
        CommandError: there is no such member, or the person is only a viewer, or deactivated.
    """
    member = _member(project, email, WRITERS)
    if member is None:
        raise CommandError(f"{email or 'Nobody'} may not submit in the project {project.slug}.")
    return member


def reader_of(project: Project, email: str | None) -> User:
    """Return the member or viewer with that address, else the first owner of ``project``.

    Raises:
        CommandError: there is no such person, or the person is deactivated.
    """
    person = _member(project, email, Membership.Role.values)
    if person is None:
        raise CommandError(f"{email or 'Nobody'} may not see the project {project.slug}.")
    return person


def add_label_options(parser: ArgumentParser) -> None:
    """Add the options that ``labels_of`` reads."""
    parser.add_argument(
        "--tag",
        action="append",
        dest="tags",
        metavar="TAG",
        help="a short word for lists and reports; may be given several times",
    )
    parser.add_argument(
        "--cost-centre", metavar="NAME", help="by default that of the project or the retried batch"
    )


def labels_of(options: dict[str, Any], inherited: Labels) -> Labels:
    """Return the tags and the cost centre of the options, and those inherited without options.

    Raises:
        CommandError: they are not valid.
    """
    tags, cost_centre = options["tags"], options["cost_centre"]
    try:
        return Labels(
            inherited.tags if tags is None else read_tags(",".join(tags)),
            inherited.cost_centre if cost_centre is None else clean_cost_centre(cost_centre),
        )
    except Refused as exc:
        raise CommandError(refusal_text(exc)) from exc


def _member(project: Project, email: str | None, roles: Iterable[str]) -> User | None:
    members = project.memberships.filter(role__in=roles, user__is_active=True)
    members = members.select_related("user")
    if email:
        members = members.filter(user__email=email.strip().lower())
    is_owner = Q(role=Membership.Role.OWNER)
    member = members.order_by(Case(When(is_owner, then=0), default=1), "pk").first()
    return member.user if member else None


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

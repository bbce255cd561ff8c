"""Decide who gets a notice, and by which ways, from roles and preferences."""

from collections.abc import Collection
from typing import NamedTuple

from batchapp.models import Membership, Notice, NoticeKind, User
from batchapp.services.notifications.chosen_channels import Chosen, chosen_channels

K = NoticeKind
BATCH_KINDS = {K.BATCH_FINISHED, K.BATCH_FAILED, K.BATCH_NEEDS_ATTENTION, K.BATCH_LATE}
# Of a batch whose maker cannot be told, such as a service key, the owners are told.
TROUBLE_KINDS = BATCH_KINDS - {K.BATCH_FINISHED}
OWNER_KINDS = {K.BUDGET_THRESHOLD, K.BUDGET_EXCEEDED, K.APPROVAL_ASKED} | {
    *(K.STATEMENT_READY, K.WEBHOOK_DISABLED)
}


class Recipient(NamedTuple):
    person: User
    chosen: Chosen


def recipients_of(notice: Notice) -> list[Recipient]:
    """Return the people who get ``notice``, each once.

    The maker of a batch is told of it, and the owners of what concerns the whole project. Nobody
    else is, unless by an own preference. Whoever is deactivated, or not in the project any more,
    gets nothing; nor does whoever cancelled the batch.
    """
    people = _people(notice)
    chosen = chosen_channels(people, NoticeKind(notice.kind), notice.project)
    wanted = _concerned(notice, people) | {
        pk for pk in people if notice.kind in BATCH_KINDS and chosen[pk].channels.of_others
    }
    wanted.discard(notice.data.get("cancelled_by"))
    users = User.objects.filter(pk__in=wanted).order_by("pk")
    rows = [Recipient(user, chosen[user.pk]) for user in users]
    return [row for row in rows if not _is_quiet(notice, row.chosen)]


def _people(notice: Notice) -> dict[int, str]:
    """Return those who may be told at all, by id, with their role in the project or ""."""
    people = User.objects.people().filter(is_active=True)
    if notice.kind == K.INVITED:
        is_gone = notice.project is not None and notice.project.deleted_at is not None
        rows = people.none() if is_gone else people.filter(pk=notice.person_id or 0)
        return dict.fromkeys(rows.values_list("pk", flat=True), "")
    if notice.project is None:
        rows = people.filter(is_superuser=True) | people.filter(is_auditor=True)
        return dict.fromkeys(rows.values_list("pk", flat=True), "")
    members = Membership.objects.of_people().filter(
        project=notice.project, user__is_active=True, project__deleted_at=None
    )
    return dict(members.order_by().values_list("user", "role"))


def _concerned(notice: Notice, people: dict[int, str]) -> set[int]:
    owners = {pk for pk, role in people.items() if role == Membership.Role.OWNER}
    person = {notice.person_id} & people.keys()
    if notice.kind in BATCH_KINDS:
        maker = {notice.batch.created_by_id if notice.batch else None} & people.keys()
        return _known(maker or (owners if notice.kind in TROUBLE_KINDS else ()))
    if notice.project is None or notice.kind == K.INVITED:
        return _known(person or people)
    if notice.kind == K.APPROVAL_ASKED:  # by this person, and somebody else decides
        return owners - person
    if notice.kind in OWNER_KINDS:
        return _known(owners | person)
    if notice.kind == K.APPROVAL_DECIDED and notice.batch and not person:
        return _known({notice.batch.created_by_id} & people.keys())
    return _known(person or owners)  # a key is of a person, or of the project


def _known(ids: "Collection[int | None]") -> set[int]:
    return {pk for pk in ids if pk is not None}


def _is_quiet(notice: Notice, chosen: Chosen) -> bool:
    """Return True for the end of a batch that is too small to be told of; trouble always is."""
    is_end = notice.kind == K.BATCH_FINISHED
    return is_end and notice.data.get("requests", 0) < chosen.quiet_below

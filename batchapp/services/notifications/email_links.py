"""The signed links by which a reader of an e-mail switches such e-mails off, without a sign-in."""

from typing import NamedTuple

from django.core import signing

from batchapp.models import NoticeKind, User

SALT = "batchapp.notifications.email_links"
ALL = "all"  # stands for all kinds, in the link of a summary


class EmailLink(NamedTuple):
    """``kinds`` are those whose e-mails the link switches off."""

    person: User
    kinds: list[NoticeKind]


def make_token(person: User, kind: str) -> str:
    """Return a token that switches off the e-mails of ``kind``, or of ``ALL``, of one person.

    It does not end: an old e-mail can still be unsubscribed from.
    """
    return signing.dumps({"person": person.pk, "kind": kind}, salt=SALT)


def read_token(token: str) -> EmailLink | None:
    """Return what ``token`` is for; None if it is not ours, or its person is gone."""
    try:
        content = signing.loads(token, salt=SALT)
    except signing.BadSignature:
        return None
    person = User.objects.people().filter(pk=content["person"], is_active=True).first()
    known = list(NoticeKind)
    kinds = known if content["kind"] == ALL else [k for k in known if k == content["kind"]]
    return EmailLink(person, kinds) if person else None

"""A link of an e-mail switches off such e-mails, and nothing else."""

import pytest

from batchapp.models import NoticeKind, User
from batchapp.services.notifications.email_links import ALL, make_token, read_token

pytestmark = pytest.mark.django_db


def test_a_link_names_its_person_and_kinds(user: User) -> None:
    link = read_token(make_token(user, NoticeKind.BATCH_LATE))
    everything = read_token(make_token(user, ALL))

    assert link is not None
    assert everything is not None
    assert (link.person, link.kinds) == (user, [NoticeKind.BATCH_LATE])
    assert everything.kinds == list(NoticeKind)


def test_a_forged_link_and_that_of_a_deactivated_person_are_worth_nothing(user: User) -> None:
    token = make_token(user, ALL)

    assert read_token(f"{token[:-1]}{'A' if token[-1] != 'A' else 'B'}") is None
    assert read_token("abc") is None
    User.objects.update(is_active=False)
    assert read_token(token) is None

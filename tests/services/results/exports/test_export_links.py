"""A link leads to the file that it was made for, until its time is over."""

from datetime import timedelta

import pytest
from django.utils import timezone

from batchapp.domain.refused import Refusal, Refused
from batchapp.models import Export
from batchapp.services.results.exports import export_links
from tests.answered import make_export
from tests.make import finish, make_batch

pytestmark = pytest.mark.django_db


@pytest.fixture
def export() -> Export:
    return make_export(finish(make_batch()))


def refusal_of(export: Export, link: str) -> Refusal:
    with pytest.raises(Refused) as refused:
        export_links.require_linked_file(export, link)
    return refused.value.code


def test_a_link_works_until_its_file_goes(export: Export) -> None:
    link = export_links.make_link(export)
    export_links.require_linked_file(export, link)
    export_links.require_file(export)

    export.expires_at = timezone.now() - timedelta(seconds=1)
    late = export_links.make_link(export)

    assert refusal_of(export, late) == Refusal.EXPORT_EXPIRED
    with pytest.raises(Refused):
        export_links.require_file(export)


def test_a_link_does_not_lead_to_another_file_of_the_same_export(export: Export) -> None:
    link = export_links.make_link(export)
    export.sha256 = "0" * 64

    assert refusal_of(export, link) == Refusal.EXPORT_REPLACED


@pytest.mark.parametrize("link", ["", "x", "1-2.3", "9999999999-0", "٣-٣.٣"])
def test_a_link_that_the_portal_did_not_make_is_unknown(export: Export, link: str) -> None:
    with pytest.raises(export_links.UnknownLink):
        export_links.require_linked_file(export, link)


def test_an_export_without_a_file_has_no_link(export: Export) -> None:
    export.expires_at = None

    with pytest.raises(ValueError, match="has no file"):
        export_links.make_link(export)

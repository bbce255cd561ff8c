"""What an order needs to run, asked again when it is approved."""

import pytest

from batchapp.domain.refused import Refusal, Refused
from batchapp.models import ProviderBatch, Upload
from batchapp.services.orders import order_checks
from tests.make import ask_approval, make_project, make_upload, set_state

pytestmark = pytest.mark.django_db


def test_what_was_asked_for_can_run() -> None:
    order_checks.refuse_changed(ask_approval())


def test_a_removed_key_a_deleted_file_and_a_closed_window_are_refused() -> None:
    request = ask_approval()
    batch = request.batch

    type(batch.key).objects.filter(pk=batch.key_id).update(ciphertext="")
    with pytest.raises(Refused) as refused:
        order_checks.refuse_changed(request)
    assert refused.value.code is Refusal.KEY_REMOVED

    batch.connection.windows = ["1h"]
    with pytest.raises(Refused) as refused:
        order_checks.refuse_changed(request)
    assert refused.value.code is Refusal.WINDOW_NOT_OFFERED


def test_a_file_with_errors_is_not_ready() -> None:
    upload: Upload = make_upload(make_project(), content=b"not a request\n")

    with pytest.raises(Refused) as refused:
        order_checks.checked_report(upload)
    assert refused.value.code is Refusal.FILE_NOT_READY


def test_a_file_that_is_removed_at_the_moment_of_the_order_is_refused() -> None:
    upload = make_upload(make_project())
    Upload.objects.get(pk=upload.pk).delete()

    with pytest.raises(Refused) as refused:
        order_checks.keep_file(upload)
    assert refused.value.code is Refusal.FORM_USED


def test_the_retry_of_a_batch_that_was_retried_in_place_is_stale() -> None:
    request = ask_approval()
    batch = request.batch
    parent = ask_approval(batch.project, upload=batch.upload).batch
    ProviderBatch.objects.create(batch=parent)
    set_state(parent, status=ProviderBatch.Status.RETRYING_IN_PLACE)
    batch.upload.retry_of = parent

    with pytest.raises(Refused) as refused:
        order_checks.refuse_changed(request)
    assert refused.value.code is Refusal.RETRIED_IN_PLACE

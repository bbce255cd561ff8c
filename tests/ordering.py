"""The form that orders a batch, as a browser fills it in."""

import uuid
from urllib.parse import urlencode

from django.http import HttpResponse
from django.test import Client

from batchapp.models import ProviderKey, Upload
from tests.html import Page, page_of


def step(upload: Upload, name: str, /, **typed: object) -> str:
    """The address of a step, with what is typed on the way."""
    return f"/files/{upload.pk}/batch/{name}/?{urlencode({'submission': uuid.uuid4()} | typed)}"


def order_form(review: Page) -> dict[str, str]:
    """Return the values that the button of the review sends."""
    return review.one('form[action$="/batch/review/"]').values


def reviewed(
    browser: Client, upload: Upload, key: ProviderKey, /, **typed: object
) -> dict[str, str]:
    """What the review's form sends, the token aside."""
    url = step(upload, "review", **{"window": "24h", "key": key.pk, "name": "tickets"} | typed)
    sent = order_form(page_of(browser, url))
    assert {"window", "key", "name", "submission", "shown"} <= sent.keys()
    return sent


def submit(
    browser: Client, upload: Upload, sent: dict[str, str], *, follow: bool = False
) -> HttpResponse:
    return browser.post(f"/files/{upload.pk}/batch/review/", sent, follow=follow)

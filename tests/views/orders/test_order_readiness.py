"""Ready to run? On the review, without holding it up."""

import uuid
from urllib.parse import urlencode

import httpx
import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from batchapp.models import Batch, Project, ProviderKey, Upload, User
from batchapp.pipeline import provider_access
from batchapp.providers.base import Management
from batchapp.providers.kinds import Kind
from tests.html import Page, fragment_of, page_of
from tests.make import MODEL, make_key, make_upload
from tests.provider import Provider

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
MODELS = "GET /v1/models"


@pytest.fixture
def upload(project: Project, user: User) -> Upload:
    return make_upload(project, user, name="tickets.jsonl")


@pytest.fixture
def key(project: Project) -> ProviderKey:
    return make_key(project)


def address(upload: Upload, key: ProviderKey, name: str = "ready", /, **asked: object) -> str:
    values = {"window": "24h", "key": key.pk, "name": "tickets", "submission": uuid.uuid4()}
    return f"/files/{upload.pk}/batch/{name}/?{urlencode(values | asked)}"


def offers(provider: Provider, *models: str) -> None:
    listed = httpx.Response(200, json={"data": [{"id": model} for model in models]})
    provider.before = lambda call, _request: listed if call == MODELS else None


def refuses(provider: Provider) -> None:
    refusal = httpx.Response(401, text="Authentication required")
    provider.before = lambda call, _request: refusal if call == MODELS else None


def test_the_balance_is_asked_at_the_management_address_with_the_stored_key(
    browser: Client,
    upload: Upload,
    key: ProviderKey,
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection = upload.project.connection
    connection.base_url = "https://api.doubleword.ai"
    connection.set_platform_key("dw-platform-123")
    connection.save()
    key.connection = connection
    key.set_secret("sk-for-this-address")
    key.save()
    asked: list[tuple[str, str]] = []

    def connect(kind: Kind, url: str, secret: str, **_: object) -> Management:
        asked.append((url, secret))
        return provider.management()

    monkeypatch.setattr(provider_access, "connect_management", connect)
    balance = httpx.Response(200, json={"credit_balance": "0.0001"})
    models = httpx.Response(200, json={"data": [{"id": MODEL}]})
    answers = {MODELS: models, "GET /admin/api/v1/users/current": balance}
    provider.before = lambda call, _request: answers.get(call)

    page = page_of(browser, address(upload, key))

    assert asked == [("https://api.doubleword.ai", "dw-platform-123")]
    assert "has $0.0001, which is below the expected cost of ~$0.0006." in page.text


def submit(browser: Client, page: Page, **ticked: str) -> Page:
    """Press the button of a whole page."""
    form = page.one('form[action$="/batch/review/"]')
    return Page(browser.post(form["action"], form.values | ticked))


def test_the_review_is_there_before_anybody_is_asked(
    browser: Client, upload: Upload, key: ProviderKey, provider: Provider
) -> None:
    page = page_of(browser, address(upload, key, "review"))

    assert provider.calls == []
    ready = page.one("#ready")
    assert ready["hx-get"].startswith(f"/files/{upload.pk}/batch/ready/?")
    assert ready["hx-trigger"] == "load"
    assert ready.one("#ready-now")["href"] == ready["hx-get"]
    assert page.one("#submit").text == "Submit 3 requests, ~$0.0006"


def test_the_fragment_says_what_was_found_and_has_the_button(
    browser: Client, upload: Upload, key: ProviderKey, provider: Provider
) -> None:
    offers(provider, MODEL)

    fragment = fragment_of(browser, address(upload, key))

    ready = fragment.one("body > #ready")
    assert f"{upload.project.connection} takes the key." in ready.text
    assert "hx-trigger" not in fragment.html
    assert ready.values == {"readiness": ""}
    button = fragment.one("body > #submit")
    assert button["hx-swap-oob"] == "true"
    assert "disabled" not in button
    assert "all_the_same" not in fragment.html
    assert provider.calls[0] == MODELS


def test_without_javascript_the_same_address_is_the_whole_review(
    browser: Client, upload: Upload, key: ProviderKey, provider: Provider, woken: list[str]
) -> None:
    offers(provider, MODEL)

    page = page_of(browser, address(upload, key))
    submit(browser, page)

    assert page.html.lower().startswith("<!doctype html>")
    assert "takes the key" in page.text
    assert Batch.objects.get().name == "tickets"


def test_what_stands_in_the_way_asks_for_a_confirmation(
    browser: Client, upload: Upload, key: ProviderKey, provider: Provider, woken: list[str]
) -> None:
    refuses(provider)
    page = page_of(browser, address(upload, key))
    assert "required" in page.one("input[name=all_the_same]")

    refused = submit(browser, page)

    assert "tick “Submit anyway”. Nothing was submitted." in refused.text
    assert not Batch.objects.exists()
    submit(browser, page, all_the_same="on")
    assert Batch.objects.count() == 1


def test_what_cannot_work_cannot_be_submitted(
    browser: Client, upload: Upload, key: ProviderKey, provider: Provider
) -> None:
    offers(provider, "another/model")
    page = page_of(browser, address(upload, key))

    refused = submit(browser, page, all_the_same="on")

    assert "disabled" in page.one("#submit")
    assert f"does not offer {MODEL} to this key" in page.text
    assert "The provider would refuse this batch." in refused.text
    assert not Batch.objects.exists()


def test_checks_that_passed_are_folded_and_what_stands_in_the_way_comes_first(
    browser: Client, upload: Upload, key: ProviderKey, provider: Provider
) -> None:
    offers(provider, "another/model")

    ready = page_of(browser, address(upload, key)).one("#ready")

    assert ready.one("#passed summary").text == "2 checks passed"
    assert "open" not in ready.one("#passed")
    assert ready.texts("dt")[0] == "Cannot run"
    assert set(ready.texts("dt")[1:]) == {"Hint"}


def test_a_silent_provider_stops_nobody(
    browser: Client, upload: Upload, key: ProviderKey, provider: Provider
) -> None:
    provider.before = lambda _call, _request: httpx.Response(503, text="down")

    fragment = fragment_of(browser, address(upload, key))

    assert "Uncertain" in fragment.text
    assert "You may submit: the portal keeps trying" in fragment.text
    assert "503" in fragment.one("dd details code").text
    assert fragment.values == {"readiness": ""}


def test_an_order_that_cannot_be_made_goes_back_to_its_fields(
    browser: Client, upload: Upload, key: ProviderKey, provider: Provider
) -> None:
    for changes in ({"window": "7d"}, {"key": uuid.uuid4()}):
        response = browser.get(address(upload, key, **changes))

        assert response["Location"].startswith(f"/files/{upload.pk}/batch/window/")
    assert provider.calls == []


def test_a_file_that_is_not_ready_is_checked_first(
    browser: Client, upload: Upload, key: ProviderKey
) -> None:
    Upload.objects.update(status=Upload.Status.FAULTY)

    response = browser.get(address(upload, key))

    assert response["Location"].startswith(f"/files/{upload.pk}/batch/?")


def test_to_ask_takes_no_more_than_fourteen_queries(
    browser: Client,
    upload: Upload,
    key: ProviderKey,
    provider: Provider,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    offers(provider, MODEL)

    with django_assert_max_num_queries(14):
        browser.get(address(upload, key), headers=HTMX)

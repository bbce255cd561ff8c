"""Forms that no page of ours made: odd values, wrong methods, forged and repeated."""

import uuid

import pytest
from django.test import Client

from batchapp.models import BatchImport, Project, ProviderKey, Upload, User
from tests.make import answer_line, error_line, finish, make_batch, make_key
from tests.provider import Provider
from tests.webhooks import SECRET

pytestmark = pytest.mark.django_db
XSS = "<img src=x onerror=alert(1)>"
ODD = ["", "-1", "1e9", "NaN", "inf", "\x00", "9" * 400, "\u202e1", XSS, "\u0661", "0x2", "2.0"]
ERRORS = [error_line(2)]


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize(
    "field", ["endings", "error_code", "max_tokens_factor", "model", "temperature", "submission"]
)
def test_a_retry_is_made_of_what_the_form_offers_only(
    browser: Client, project: Project, user: User, woken: list[str], field: str, value: str
) -> None:
    batch = finish(make_batch(project, user), [answer_line(1)], ERRORS)
    before = Upload.objects.count()
    usual = {"endings": "model_error", "max_tokens_factor": "1"}

    for more in ({}, {"preview": "1"}):
        response = browser.post(f"/batches/{batch.pk}/retry/", {**usual, field: value, **more})

        assert response.status_code in {200, 302}
        assert XSS not in response.content.decode()
    made = Upload.objects.count() - before
    assert made <= (1 if field != "endings" else 0)


@pytest.mark.parametrize("value", [*ODD, "x" * 20_000, " ".join(["a"] * 5_000)])
def test_ids_that_are_none_bring_nothing_in(
    browser: Client, project: Project, provider: Provider, woken: list[str], value: str
) -> None:
    key = make_key(project)

    response = browser.post(
        f"/projects/{project.slug}/batches/import/", {"key": str(key.pk), "batches": value}
    )

    assert response.status_code in {200, 302, 400}
    assert XSS not in response.content.decode()
    assert not BatchImport.objects.filter(remote_id__regex=r"[^\w.:-]").exists()


def test_ten_thousand_ids_are_refused(
    browser: Client, project: Project, provider: Provider, woken: list[str]
) -> None:
    ids = [str(uuid.uuid4()) for _ in range(10_000)]
    for data in ({"batches": ids[:900]}, {"batches": ids}, {"ids": " ".join(ids)}):
        response = browser.post(
            f"/projects/{project.slug}/batches/import/",
            {"key": str(make_key(project).pk), **data},
        )
        assert response.status_code in {200, 400}
    assert not BatchImport.objects.exists()


@pytest.mark.parametrize("value", [*ODD, "whsec_", "whsec_!!!", "whsec_" + "A" * 100_000])
def test_secrets_that_are_none_are_not_stored(
    browser: Client, user: User, project: Project, value: str
) -> None:
    key = make_key(user, project.connection)

    response = browser.post(
        f"/keys/{key.pk}/webhook/", {"secret": value, "next": "//evil.example"}
    )

    assert response.status_code == 200
    assert "evil.example" not in response.content.decode()
    assert ProviderKey.objects.get(pk=key.pk).webhook_ciphertext == ""


def test_a_stored_secret_leads_nowhere_else(browser: Client, user: User, project: Project) -> None:
    key = make_key(user, project.connection)
    for where in ("//evil.example", "https://evil.example", "/\\evil.example", "javascript:1"):
        for data in ({"secret": SECRET}, {"action": "remove"}):
            response = browser.post(f"/keys/{key.pk}/webhook/", {**data, "next": where})
            assert (response.status_code, "evil" in response["Location"]) == (302, False)


@pytest.mark.parametrize("value", ODD)
def test_odd_addresses_are_pages_all_the_same(
    browser: Client, project: Project, user: User, provider: Provider, value: str
) -> None:
    make_key(project)
    batch = finish(make_batch(project, user), [answer_line(1)], ERRORS)
    for path, names in (
        (f"/batches/{batch.pk}/results/", ["q", "outcome", "attempts", "after", "before"]),
        (f"/batches/{batch.pk}/unmatched/", ["after"]),
        (f"/projects/{project.slug}/batches/import/", ["after", "key"]),
        (f"/files/{batch.upload_id}/batch/window/", ["window", "fallback", "name", "submission"]),
        (f"/files/{batch.upload_id}/batch/review/", ["window", "fallback", "name", "submission"]),
    ):
        for name in names:
            for headers in ({}, {"HX-Request": "true"}):
                response = browser.get(path, {name: value}, headers=headers)
                assert response.status_code in {200, 302, 404}, (path, name)
                assert XSS not in response.content.decode()


def test_what_changes_something_wants_a_token(project: Project, user: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(user)
    batch = make_batch(project, user)
    for path in ("cancel", "pause", "resume", "retry-in-place", "retry", "try-again"):
        assert browser.post(f"/batches/{batch.pk}/{path}/").status_code == 403
    key = make_key(user, project.connection)
    assert browser.post(f"/keys/{key.pk}/webhook/", {"secret": SECRET}).status_code == 403
    assert browser.post(f"/projects/{project.slug}/batches/import/").status_code == 403

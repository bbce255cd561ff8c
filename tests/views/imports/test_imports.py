"""The page on which batches that were made elsewhere are imported."""

import uuid
from typing import Any

import httpx
import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from batchapp.models import Batch, BatchImport, Connection, Project, ProviderKey, Upload, User
from batchapp.providers import kinds
from batchapp.providers.base import Capabilities
from batchapp.providers.openai import OpenAIProvider
from batchapp.services.imports import start_import
from tests.html import page_of
from tests.make import (
    VIEWER,
    answer_line,
    join,
    make_batch,
    make_import,
    make_key,
    make_project,
    make_user,
    request_file,
)
from tests.provider import Provider
from tests.sentences import problem
from tests.steps import advance

pytestmark = pytest.mark.django_db
URL = "/projects/support/batches/import/"


@pytest.fixture
def key(project: Project) -> ProviderKey:
    return make_key(project)


def text(response: Any) -> str:
    return " ".join(response.content.decode().split())


def import_batch(browser: Client, key: ProviderKey, *ticked: str, ids: str = "") -> str:
    data = {"key": str(key.pk), "batches": list(ticked), "ids": ids}
    return text(browser.post(URL, data, follow=True))


def test_what_the_account_has_is_offered_with_all_that_is_known_of_it(
    browser: Client, provider: Provider, key: ProviderKey
) -> None:
    remote = provider.run(request_file(3), name="by hand.jsonl", completion_window="1h")
    provider.finish([answer_line(1)], status="in_progress")

    html = text(browser.get(URL))

    assert f'value="{remote}"' in html
    for told in ("by hand.jsonl", "In progress", "1 h", "1 of 3", "60 min ago"):
        assert told in html


def test_ticked_batches_and_ids_are_brought_in_together(
    browser: Client,
    provider: Provider,
    key: ProviderKey,
    woken: list[str],
    project: Project,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    ticked = provider.run(request_file(1))
    typed = [str(uuid.uuid4()), str(uuid.uuid4())]

    with django_capture_on_commit_callbacks(execute=True):
        html = import_batch(
            browser, key, ticked, ids=f"batch_{typed[0].upper()}, {typed[1]} {ticked}"
        )

    assert "3 batches are being imported." in html
    rows = project.batch_imports.all()
    assert {row.remote_id for row in rows} == {ticked, *typed}
    assert {row.requested_by.email for row in rows} == {"ada@example.com"}
    assert sorted(woken) == sorted(str(row.pk) for row in rows)


def test_what_is_here_is_left_out_and_not_brought_in_again(
    browser: Client, provider: Provider, key: ProviderKey, woken: list[str]
) -> None:
    batch = make_batch(key.project, key=key)
    advance(batch.provider_batches.get())
    advance(batch.provider_batches.get())
    (own,) = provider.batches
    other = provider.run(request_file(1))
    theirs = make_import(make_project(connection=key.connection), remote_id=other)

    shown = text(browser.get(URL))
    told = import_batch(browser, key, ids=f"{own} {other}")

    assert f'value="{own}"' not in shown
    assert f'value="{other}"' not in shown
    assert "2 batches of this page are already here" in shown
    assert "Imported before, so nothing was done" in told
    assert str(theirs.project) not in shown + told
    assert BatchImport.objects.get() == theirs


def test_a_batch_whose_file_is_gone_cannot_be_ticked(
    browser: Client, provider: Provider, key: ProviderKey
) -> None:
    provider.run(request_file(1), input_file_id="")

    html = text(browser.get(URL))

    assert "deleted there: it cannot be imported" in html
    assert "disabled" in html


def test_the_list_goes_on_on_the_next_page(
    browser: Client, provider: Provider, key: ProviderKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start_import, "PAGE_SIZE", 1)
    old, new = provider.run(request_file(1)), provider.run(request_file(1))

    first = text(browser.get(URL))
    second = text(browser.get(URL, {"after": new, "key": str(key.pk)}))

    assert f"after={new}" in first
    assert f'value="{old}"' not in first
    assert f'value="{old}"' in second
    assert 'rel="next"' not in second


def test_an_account_without_other_batches_says_so(
    browser: Client, provider: Provider, key: ProviderKey
) -> None:
    assert "has no other batches" in text(browser.get(URL))


def test_without_a_key_the_page_says_where_to_get_one(browser: Client, project: Project) -> None:
    html = text(browser.get(URL))

    assert "There is no key for" in html
    assert "/profile/?next=" in html


def test_of_several_keys_one_is_chosen(
    browser: Client, provider: Provider, key: ProviderKey, user: User
) -> None:
    own = make_key(user, key.connection)

    page = page_of(browser, URL, key=own.pk)

    assert page.one("select[name=key]").one("option[selected]")["value"] == str(own.pk)
    assert page.one("form[method=post] input[name=key]")["value"] == str(own.pk)


def test_a_key_of_another_team_is_not_there(
    browser: Client, provider: Provider, key: ProviderKey
) -> None:
    foreign = make_key(make_project(connection=key.connection))
    colleagues = make_key(join(make_user(), key.project), key.connection)

    for each in (foreign, colleagues):
        assert browser.get(URL, {"key": str(each.pk)}).status_code == 404
        assert (
            browser.post(URL, {"key": str(each.pk), "ids": str(uuid.uuid4())}).status_code == 404
        )
    assert provider.calls == []
    assert not BatchImport.objects.exists()


def test_viewers_bring_nothing_in(
    client: Client, provider: Provider, key: ProviderKey, project: Project
) -> None:
    client.force_login(join(make_user(), project, VIEWER))

    assert client.get(URL).status_code == 403
    assert client.post(URL, {"key": str(key.pk), "ids": str(uuid.uuid4())}).status_code == 403
    assert "Import a batch" not in text(client.get("/projects/support/batches/"))
    assert provider.calls == []


@pytest.mark.parametrize(
    ("ids", "sentence"),
    [
        ("", "Tick a batch first, or type its id."),
        ("../../v1/models", "This is no batch id."),
        (" ".join(str(uuid.uuid4()) for _ in range(101)), "at most 100 batches at once"),
        (10_001 * "a", "fewer batches at once"),
    ],
)
def test_what_is_no_choice_is_told(
    browser: Client, provider: Provider, key: ProviderKey, ids: str, sentence: str
) -> None:
    assert sentence in import_batch(browser, key, ids=ids)
    assert not BatchImport.objects.exists()


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (httpx.Response(401, text="Authentication required"), "refused the key"),
        (httpx.Response(403, text="Insufficient"), "does not show its batches to this key"),
        (httpx.Response(500), "gave no usable answer. Try again in a minute"),
    ],
)
def test_a_provider_that_does_not_tell_is_a_sentence_and_ids_still_work(
    browser: Client, provider: Provider, key: ProviderKey, answer: httpx.Response, sentence: str
) -> None:
    provider.before = lambda call, request: answer

    html = text(browser.get(URL))
    key.refresh_from_db()

    assert sentence in html
    assert 'name="ids"' in html
    assert key.is_refused == (answer.status_code == 401)


def test_a_key_that_cannot_be_read_is_told_without_asking_anybody(
    browser: Client, key: ProviderKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    ProviderKey.objects.filter(pk=key.pk).update(ciphertext="nonsense")

    assert "cannot be read any more" in text(browser.get(URL, {"key": str(key.pk)}))


def test_what_is_on_its_way_is_followed_until_it_is_here(
    browser: Client, provider: Provider, key: ProviderKey, woken: list[str], project: Project
) -> None:
    html = import_batch(browser, key, provider.run(request_file(2), name="by hand.jsonl"))
    assert "Fetching the file" in html
    assert 'hx-trigger="every 2s"' in html

    advance(project.batch_imports.get())
    advance(Upload.objects.get())
    advance(project.batch_imports.get())
    html = text(browser.get(f"{URL}state/", headers={"HX-Request": "true"}))

    batch = Batch.objects.get()
    assert "Imported" in html
    assert f'href="{batch.get_absolute_url()}"' in html
    assert "every 2s" not in html
    assert "<html" not in html


def test_what_failed_says_why_and_can_be_tried_again(
    browser: Client,
    provider: Provider,
    key: ProviderKey,
    woken: list[str],
    project: Project,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    batch_import = make_import(
        project, key=key, status="failed", problem=problem("It was deleted there.")
    )
    assert "It was deleted there." in text(browser.get(URL))

    with django_capture_on_commit_callbacks(execute=True):
        browser.post(f"/imports/{batch_import.pk}/try-again/")
    batch_import.refresh_from_db()

    assert (batch_import.status, batch_import.problem) == (BatchImport.Status.FETCHING, None)
    assert woken == [str(batch_import.pk)]


def test_what_failed_can_be_dismissed_and_what_moves_cannot(
    browser: Client, provider: Provider, key: ProviderKey, project: Project
) -> None:
    failed = make_import(project, key=key, status="failed")
    moving = make_import(project, key=key)

    for each in (failed, moving):
        browser.post(f"/imports/{each.pk}/dismiss/")

    assert project.batch_imports.get() == moving


def test_the_page_asks_as_much_for_many_as_for_one(
    browser: Client,
    provider: Provider,
    key: ProviderKey,
    project: Project,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(20):
        provider.run(request_file(1))
        make_import(project, key=key, status=("failed" if number % 2 else "fetching"))

    with django_assert_max_num_queries(12):
        browser.get(URL)


@pytest.mark.parametrize("verb", ["try-again", "dismiss"])
def test_what_a_colleague_asked_for_on_a_key_of_their_own_leads_back_to_the_page(
    browser: Client, provider: Provider, project: Project, woken: list[str], verb: str
) -> None:
    batch_import = make_import(project, join(make_user(), project), status="failed")

    response = browser.post(f"/imports/{batch_import.pk}/{verb}/", follow=True)

    assert (response.status_code, response.redirect_chain) == (200, [(URL, 302)])


def test_a_provider_that_lists_no_batches_is_not_asked_and_ids_are_imported_all_the_same(
    browser: Client, provider: Provider, key: ProviderKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlisted = kinds.Kind("unlisted", "Unlisted", Capabilities(list=False), OpenAIProvider)
    monkeypatch.setitem(kinds.KINDS, "unlisted", unlisted)
    Connection.objects.filter(pk=key.connection_id).update(kind="unlisted")
    remote = provider.run(request_file(3))

    html = text(browser.get(URL))

    assert "does not list its batches. Import those whose id you know." in html
    assert provider.calls == []
    import_batch(browser, key, ids=remote)
    assert BatchImport.objects.get().remote_id == remote

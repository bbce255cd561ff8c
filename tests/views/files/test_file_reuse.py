"""What need not be sent: offered at the check, ticked, and shown as one result."""

import json
import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from batchapp.domain.refused import Refusal, Refused
from batchapp.domain.reuse.reuse_plan import ReuseChoice
from batchapp.models import Batch, Project, Upload
from tests.html import page_of
from tests.make import VIEWER, join, make_user
from tests.reuse import checked_upload, question_file, reduced_upload, run
from tests.steps import advance

pytestmark = pytest.mark.django_db


@pytest.fixture
def week_48(project: Project) -> Batch:
    return run(checked_upload(project, question_file("abcdefgh")), name="Week <48>")


@pytest.fixture
def grown(project: Project, week_48: Batch) -> Upload:
    """Eight rows as before, one new, and one of the old once more."""
    return checked_upload(project, question_file("abcdefghxx"), name="week-49.jsonl")


def address(upload: Upload) -> str:
    return reverse("file_reuse", args=[upload.pk])


def ask(*names: str, **values: Any) -> dict[str, Any]:
    return {"submission": str(uuid.uuid4())} | dict.fromkeys(names, "on") | values


@pytest.mark.parametrize("name", ["file_detail", "order_check"])
def test_the_check_offers_to_keep_answers_and_ticks_nothing(
    browser: Client, grown: Upload, name: str
) -> None:
    page = page_of(browser, reverse(name, args=[grown.pk]))

    card = page.one("#reuse")
    assert "Keep 8 answers, and run 2 new or changed requests" in card.text
    assert "Week <48>" in card.text
    assert "Send equal requests once: 1 repeat" in card.text
    assert not page.all("#reuse input[checked]")
    prices = page.texts("#reuse .price")
    assert prices[0].count("~$") == 2
    assert "less" in prices[1]


def test_a_file_of_which_everything_must_be_sent_has_no_offer(
    browser: Client, project: Project, week_48: Batch
) -> None:
    upload = checked_upload(project, question_file("xyz"))

    assert not page_of(browser, upload.get_absolute_url()).all("#reuse")


def test_a_file_with_nothing_new_names_the_batch_and_keeps_no_answers(
    browser: Client, project: Project, week_48: Batch
) -> None:
    upload = checked_upload(project, question_file("abcdefgh"))

    card = page_of(browser, upload.get_absolute_url()).one("#reuse")

    assert "Every request has an answer here already" in card.text
    assert week_48.get_absolute_url() in card.links.values()
    assert "Keep" not in card.text


def test_two_clicks_make_one_file_which_is_ordered_and_shows_one_result(
    browser: Client, grown: Upload
) -> None:
    data = ask("keep", "once", then="batch")
    answers = [browser.post(address(grown), data) for _ in range(2)]

    reduced = Upload.objects.get(made_from=grown)
    assert {answer["Location"] for answer in answers} == {
        reverse("order_check", args=[reduced.pk])
    }
    advance(reduced)
    reduced.refresh_from_db()
    assert (reduced.requests, reduced.name) == (1, "week-49-new.jsonl")
    page = page_of(browser, reduced.get_absolute_url())
    assert "8 answers kept, 1 repeat not sent" in page.text
    assert not page.all("#reuse")

    batch = run(reduced)
    page = page_of(browser, batch.get_absolute_url())
    assert "8 answers are kept. 1 repeat has the answer to the first." in page.one("#reused").text
    results = page_of(browser, reverse("result_list", args=[batch.pk]))
    assert "All 10" in results.text
    assert results.text.count("kept from Week <48>") == 8
    assert results.text.count("same request as line 9") == 1
    own = page_of(browser, reverse("result_list", args=[batch.pk]), attempts="own")
    assert "All 1" in own.text
    lines = b"".join(
        browser.get(reverse("batch_download_merged", args=[batch.pk])).streaming_content
    ).splitlines()
    assert [json.loads(line)["custom_id"] for line in lines] == [
        f"row-{number}" for number in range(1, 11)
    ]


def test_the_page_of_a_kept_result_has_question_and_answer_and_says_it_cost_nothing(
    browser: Client, project: Project, grown: Upload
) -> None:
    batch = run(reduced_upload(grown, ReuseChoice(keep=True, once=True)))

    kept = page_of(browser, reverse("result_detail", args=[batch.pk, 1]))
    repeat = page_of(browser, reverse("result_detail", args=[batch.pk, 10]))

    assert "Answer to a" in kept.text
    assert "answer kept from Week <48>" in kept.text
    assert "nothing: it was not sent" in kept.text
    assert "Answer to x" in repeat.text
    assert "answer same request as line 9" in repeat.text


def test_nothing_ticked_makes_no_file_and_says_so(browser: Client, grown: Upload) -> None:
    page = page_of(browser, browser.post(address(grown), ask())["Location"])

    assert "Tick what should not be sent" in page.text
    assert not Upload.objects.filter(made_from=grown).exists()


def test_a_viewer_sees_no_offer_and_makes_no_file(client: Client, grown: Upload) -> None:
    viewer = join(make_user(), grown.project, VIEWER)
    client.force_login(viewer)

    assert not page_of(client, grown.get_absolute_url()).all("#reuse")
    assert client.post(address(grown), ask("keep")).status_code in {403, 404}
    assert not Upload.objects.filter(made_from=grown).exists()


def test_an_order_is_refused_when_the_kept_answers_are_gone(
    browser: Client, project: Project, grown: Upload, week_48: Batch
) -> None:
    reduced = reduced_upload(grown)
    week_48.delete()

    with pytest.raises(Refused) as refused:
        run(reduced)

    assert refused.value.code == Refusal.KEPT_ANSWERS_DELETED
    assert refused.value.data == {"batches": ["Week <48>"], "original": "week-49.jsonl"}


def test_no_price_is_named_for_a_model_without_one(
    browser: Client, project: Project, grown: Upload
) -> None:
    project.connection.prices.all().delete()

    assert page_of(browser, grown.get_absolute_url()).texts("#reuse .price") == ["", ""]

"""The guide is read from docs/guide, its links lead on, and what it shows is true."""

import re

import pytest
from django.test import Client
from django.urls import resolve

from batchapp.domain.request_files import check_file
from batchapp.domain.results.outcome import Outcome
from batchapp.domain.results.retry_selection import ADVICE
from batchapp.presenters import guide
from tests.documents import table_rows
from tests.variables import ROOT

every_article = pytest.mark.parametrize("name", guide.NAMES)


def lines_of(name: str) -> list[str]:
    return (guide.FOLDER / f"{name}.md").read_text().splitlines()


def test_every_article_in_the_folder_is_in_the_console_in_the_order_of_its_index():
    files = {path.stem for path in guide.FOLDER.glob("[a-z]*.md")}
    index = (guide.FOLDER / "README.md").read_text()
    listed = re.findall(r"^\d+\. \[(.+)\]\((.+)\.md\)$", index, re.MULTILINE)

    assert files == set(guide.NAMES)
    assert listed == [(article.title, name) for name, article in guide.articles().items()]


@every_article
def test_an_article_is_short_and_begins_with_its_title_and_what_it_is_about(name: str):
    article = guide.articles()[name]

    text = (guide.FOLDER / f"{name}.md").read_text()
    assert len(lines_of(name)) >= 60
    assert len(re.sub(r"```.*?```", "", text, flags=re.DOTALL).splitlines()) <= 120
    assert lines_of(name)[0] == f"# {article.title}"
    assert re.fullmatch(r"[A-Z][^<>*`\[\]]+\.", article.summary)
    assert "<h1" not in article.body


@every_article
def test_every_link_of_an_article_leads_to_a_page_and_to_a_heading_of_it(name: str):
    body = guide.articles()[name].body
    targets = re.findall(r'<a href="([^"]+)"', body)

    assert len(targets) >= 2
    for target in targets:
        path, _, anchor = target.partition("#")
        match = resolve(path)
        if anchor:
            assert f'id="{anchor}"' in guide.articles()[match.kwargs["name"]].body


def test_every_page_that_can_be_linked_is_named_by_an_article():
    text = "".join("\n".join(lines_of(name)) for name in guide.NAMES)

    assert [page for page in guide.PAGES if f"**{page}**" not in text] == []


def test_the_pages_about_the_api_are_links():
    body = guide.articles()["clients"].body

    for path in ("/v1/reference", "/v1/openapi.json", "/skill.md"):
        assert f'<a href="{path}">' in body


def test_markup_in_an_article_is_shown_and_never_run(tmp_path, monkeypatch):
    monkeypatch.setattr(guide, "FOLDER", tmp_path)
    (tmp_path / "x.md").write_text("# A\n\nB\nc.\n\n<script>1</script>\n\n[x](javascript:alert)\n")

    article = guide._read("x")

    assert article.summary == "B c."
    assert "<script" not in article.body
    assert 'href="javascript' not in article.body


def test_the_request_in_the_guide_passes_the_check():
    text = (guide.FOLDER / "first-batch.md").read_text()
    [line] = re.findall(r"```json [^\n]+\n(.+)\n```", text)

    report = check_file.check([line.encode()], check_file.Limits(max_bytes=10_000))

    assert (report.requests, report.findings) == (1, [])


def test_the_table_of_outcomes_has_each_outcome_and_says_which_is_paid():
    rows = table_rows((guide.FOLDER / "failures.md").read_text())
    paid = {row[0].strip("*"): row[2] for row in rows if len(row) == 4}
    not_ended = {Outcome.PENDING, Outcome.OK, Outcome.REUSED}
    ended = [outcome for outcome in Outcome if outcome not in not_ended]

    assert paid == {outcome.label: "yes" if outcome.is_answer else "no" for outcome in ended}
    assert {outcome.label for outcome in ADVICE} == set(paid)


def test_an_image_of_the_portal_has_the_articles():
    copied = re.findall(r"^COPY (\S+) ", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    kept = (ROOT / ".dockerignore").read_text().splitlines()
    folder = str(guide.FOLDER.relative_to(ROOT))

    assert folder in copied
    assert f"!{folder}" in kept


def test_a_code_block_has_a_name_and_a_button_that_copies_it(client: Client):
    body = guide.articles()["first-batch"].body

    assert '<pre tabindex="0" aria-label="One request">{&quot;custom_id&quot;' in body
    assert "data-copy" in body

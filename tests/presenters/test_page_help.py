"""Every page has a help of three sentences."""

import re

import pytest

from batchapp.presenters import guide
from batchapp.presenters.page_help import HELP
from batchapp.urls import urlpatterns
from batchapp.views.people.sign_in import POST_ONLY

# Addresses that are no pages: for monitors and browsers, fragments of a page, and files to save.
NO_PAGES = POST_ONLY | {
    *("healthz", "readyz", "icons", "file_state", "import_progress"),
    *("result_facets", "administration_home", "inbox_badge"),
    *("openid_connect_login", "openid_connect_callback"),
    *("mfa_login_webauthn", "mfa_download_recovery_codes"),
    *("file_download", "file_id_map", "batch_download", "batch_download_merged"),
    *("unmatched_line_download", "cost_report_csv", "price_list_csv"),
    "direct_request_csv",
    *("audit_csv", "project_audit_csv"),
    *("cross_tab_csv", "skill_show"),
    *("statement_month_csv", "statement_csv"),
    *("batch_compare_csv", "offered_model_csv", "export_download"),
}


def test_every_page_has_a_help_and_every_help_a_page():
    names = {str(pattern.name) for pattern in urlpatterns}

    assert names >= NO_PAGES
    assert set(HELP) == names - NO_PAGES


@pytest.mark.parametrize("name", HELP)
def test_a_help_has_exactly_three_sentences_and_an_article(name: str):
    page_help = HELP[name]
    sentences = [page_help.purpose, page_help.next_step, page_help.at_stake]

    for sentence in sentences:
        assert re.fullmatch(r"[A-Z][^.!?]+(\?[^.!?]+)?\.", sentence)
        assert len(sentence) <= 140
    assert page_help.article in guide.articles()
    assert 0 < len(page_help.title) < 40

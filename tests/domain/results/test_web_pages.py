import time

import pytest

from batchapp.domain.results.web_pages import is_web_page, page_words

PAGES = [
    ("<h1>502 Bad Gateway</h1>", "502 Bad Gateway"),
    ("<center><h1>504 Gateway Time-out</h1></center>\n<hr><center>nginx</center>", None),
    ("<body>\n<p>Try again.", "Try again."),
    ("<BODY bgcolor=white><H1>Oops</H1></BODY>", "Oops"),
    ("\ufeff \r\n<!doctype html><title>Welcome</title><h1>Other</h1>", "Welcome"),
    ("<html><head><style>h1 {color: red}</style></head><body>Down</body></html>", "Down"),
    ("<html><script>alert('</b>')</script>Down", "Down"),
    ("<!-- error --><h1>503</h1>", "503"),
    ("<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "AccessDenied"),
    ("<Error><Code>SlowDown</Code><Message>Reduce.</Message></Error>", "SlowDown Reduce."),
    ("<s:Fault xmlns:s='x'>No</s:Fault>", "No"),
    ("502 Bad Gateway: <html><body>nginx</body></html>", "502 Bad Gateway: nginx"),
    ("<h1>A &amp; B &lt;script&gt;x&lt;/script&gt;</h1>", "A & B x"),
    ("<div class='e'>Broken", "Broken"),
    ("<h1>cut <b", "cut"),
    ("<br/>", ""),
    ("<html></html>", ""),
]


@pytest.mark.parametrize(("page", "words"), PAGES)
def test_a_page_is_told_by_its_content_and_shown_as_its_words(page, words):
    assert is_web_page(page)
    shown = page_words(page)
    assert shown == (words if words is not None else "504 Gateway Time-out nginx")
    assert "<" not in shown


@pytest.mark.parametrize(
    "sentence",
    [
        "",
        "Model not found",
        "<think> is not allowed here",
        "<|im_start|> is a reserved token",
        "<3 is not a number",
        "a < b > c",
        "Unexpected token <tool_call> before </tool_call>",
        "<tool_call>x</tool_call> could not be read",
        "The tag <html> is not closed",
        "Expected <body> at column 7",
        "<",
        "<>",
        '{"answer": "<html><body>My page</body></html>"}',
        '[{"answer": "<html><body>My page</body></html>"}]',
    ],
)
def test_a_sentence_that_names_a_tag_is_no_page(sentence):
    assert not is_web_page(sentence)


@pytest.mark.parametrize(
    "hostile",
    ["<a" * 500_000, "<!--" * 500_000, "<script>" * 500_000, "<x>" * 500_000, "<title " * 300_000],
    ids=lambda text: text[:7],
)
def test_a_page_without_end_is_read_at_once(hostile):
    began = time.process_time()

    is_web_page(hostile)
    page_words(hostile)

    assert time.process_time() - began < 5

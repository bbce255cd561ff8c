"""Recognize a web page or an XML document that stands in the place of a message."""

import html
import re

HEAD = 4096  # characters that are looked at: an error page says its reason at the start

# A text that begins with one of these is a page, whatever follows. Names that people also write
# in sentences, such as <think>, are left out.
_STARTS_PAGE = re.compile(
    r"<(?:!doctype|!--|\?xml|(?:html|head|body|title|meta|link|style|script|center|div|span|main|"
    r"section|article|header|footer|h[1-6]|hr|br|p|pre|b|strong|em|i|a|font|img|ul|ol|table|form)"
    r"(?:\s[^<>]{0,500})?/?>)",
    re.IGNORECASE,
)
_IS_ONE_ELEMENT = re.compile(r"<([a-z][\w:.-]{0,99})(?:\s[^<>]{0,500})?>.*</\1\s*>\Z", re.I | re.S)
_HOLDS_PAGE = re.compile(r"<(?:!doctype\s+html|html|body)\b[^<>]{0,500}>", re.IGNORECASE)
_CLOSES_TAG = re.compile(r"</[a-z][a-z0-9]{0,20}\s*>", re.IGNORECASE)

_TITLE = re.compile(r"<title[^<>]{0,500}>([^<]{1,300})</title", re.IGNORECASE)
_SILENT = re.compile(r"<(script|style)\b.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)", re.I | re.S)
_TAG = re.compile(r"<[a-z/!?][^<>]*(?:>|\Z)", re.IGNORECASE)


def is_web_page(text: str) -> bool:
    """Return True for HTML or XML, by its content; a sentence that names a tag is none.

    Only the start of ``text`` is looked at, and of an XML document also its end.
    """
    text = text.strip("\ufeff \t\r\n")
    head = text[:HEAD]
    if head.startswith(("{", "[", '"')):
        return False  # JSON, whose strings may hold anything
    if _STARTS_PAGE.match(head):
        return True
    if _HOLDS_PAGE.search(head) and _CLOSES_TAG.search(head):
        return True
    return len(text) <= HEAD and _IS_ONE_ELEMENT.match(head) is not None


def page_words(page: str) -> str:
    """Return the title of ``page``, or else its words without tags; "" if it has neither."""
    head = page[:HEAD]
    if title := _TITLE.search(head):
        return _plain(title[1])
    return _plain(_TAG.sub(" ", _SILENT.sub(" ", head)))


def _plain(text: str) -> str:
    """Return ``text`` on one line; what its entities spell is no markup either."""
    return " ".join(_TAG.sub(" ", html.unescape(text)).split())

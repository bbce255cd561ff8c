"""The subjects and the words of e-mails about notices."""

from django import template

from batchapp.models import NoticeSettings
from batchapp.presenters.notice_text import kind_text, notice_title
from batchapp.services.notifications.mailboxes import Letter, Total
from batchapp.templatetags.words import count

register = template.Library()

OF_TIMES = {
    NoticeSettings.Digest.AT_ONCE: "the last hour",
    NoticeSettings.Digest.DAILY: "the last day",
    NoticeSettings.Digest.WEEKLY: "the last week",
}


@register.filter
def letter_subject(letter: Letter) -> str:
    """Return the title of the only notice, or how many a summary has."""
    if not letter.is_summary:
        notice = letter.notices[0]
        place = f" ({notice.project})" if notice.project else ""
        return f"{notice_title(notice)}{place}"
    return f"{count(letter.total, 'notice')} of {OF_TIMES[NoticeSettings.Digest(letter.digest)]}"


@register.filter
def letter_rest(letter: Letter) -> str:
    """Say how many notices a summary does not name; "" if it names all."""
    rest = letter.total - len(letter.notices)
    return f"And {rest:,} more, which are in your inbox." if rest else ""


@register.filter
def total_text(total: Total) -> str:
    return f"{kind_text(total.kind).label}: {total.number:,}"

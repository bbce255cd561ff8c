"""The inbox of a person, and the number of unread items that every page shows."""

import json
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_POST, require_safe

from batchapp.forms.notifications.inbox import InboxFilterForm, InboxMarkForm
from batchapp.http import Request, render_partial
from batchapp.presenters.notice_text import KINDS, notice_lines, notice_path, notice_title
from batchapp.services.notifications import inbox
from batchapp.templatetags.words import count
from batchapp.views.permissions import memberships_of

PAGE_SIZE = 50
MOST_SHOWN = 3  # notifications of the browser at once
LABELS = {kind: text.label for kind, text in KINDS.items()}


@require_safe
def inbox_list(request: Request) -> HttpResponse:
    """List what the person was told, unread first."""
    form = InboxFilterForm(request.GET, memberships=memberships_of(request), labels=LABELS)
    filters = form.cleaned()
    items = inbox.items_of(request.user, **filters)
    page = Paginator(items, PAGE_SIZE).get_page(request.GET.get("page"))
    undo_at = parse_datetime(request.GET.get("undo", "")[:40]) if "undo" in request.GET else None
    context = {
        "form": form,
        "page": page,
        "is_narrow": any(filters.values()),
        "filters": urlencode({name: value for name, value in filters.items() if value}),
        "undo_at": undo_at.isoformat() if undo_at and undo_at.tzinfo else "",
        "nav": "inbox",
    }
    return render_partial(request, "batchapp/notifications/inbox_list.html", "rows", context)


@require_POST
def inbox_mark(request: Request) -> HttpResponse:
    """Mark one item or all of them, and return to the same filter."""
    form = InboxMarkForm(request.POST)
    filter_form = InboxFilterForm(request.GET, memberships=memberships_of(request), labels=LABELS)
    filters = {name: value for name, value in filter_form.cleaned().items() if value}
    address = reverse("inbox_list")
    if not form.is_valid():
        messages.error(request, "Nothing was marked. Try again.")
        return redirect(f"{address}?{urlencode(filters)}")
    action, item, at = (form.cleaned_data[name] for name in ("action", "item", "at"))
    parameters = dict(filters)
    if action == "all":
        number, marked_at = inbox.mark_all_read(request.user, **filters)
        if number:
            messages.success(request, f"{count(number, 'notice')} marked as read.")
            parameters["undo"] = marked_at.isoformat()
    elif action == "undo" and at:
        number = inbox.undo(request.user, at)
        messages.success(request, f"{count(number, 'notice')} unread again.")
    elif item:
        inbox.mark(request.user, item, is_read=action == "read")
    return redirect(f"{address}?{urlencode(parameters)}")


@require_safe
def inbox_badge(request: Request) -> HttpResponse:
    """Return the number of unread items, and what is new since an item, for the browser to show.

    A poll without news costs one query beside those of the sign-in.
    """
    after = request.GET.get("after", "")
    known = int(after) if after.isascii() and after.isdigit() and len(after) < 19 else 0
    unread = inbox.unread_of(request.user)
    news = []
    if unread.newest > known:
        news = [
            {
                "id": item.pk,
                "title": notice_title(item.notice),
                "body": " ".join(notice_lines(item.notice)),
                "url": notice_path(item.notice),
            }
            for item in inbox.news_of(request.user, known, MOST_SHOWN)
        ]
    context = {
        "unread": unread,
        "known": max(known, unread.newest),
        "news": json.dumps(news),
        "is_poll": True,
    }
    return render(request, "batchapp/notifications/_badge.html", context)

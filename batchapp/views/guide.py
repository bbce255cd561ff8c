"""The user guide, its terms, and the help of each page; there is nothing secret in them."""

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from batchapp.http import Request, render_partial, wants_fragment
from batchapp.presenters import guide, page_help
from batchapp.templatetags.terms import TERMS


@login_not_required
@require_safe
def guide_list(request: Request) -> HttpResponse:
    return render(request, "batchapp/guide/guide_list.html", _context())


@login_not_required
@require_safe
def guide_article(request: Request, name: str) -> HttpResponse:
    articles = guide.articles()
    if name not in articles:
        raise Http404("The guide has no such article.")
    names = list(articles)
    position = names.index(name)
    context = _context() | {
        "article": articles[name],
        "previous": articles[names[position - 1]] if position else None,
        "next": articles[names[position + 1]] if position + 1 < len(names) else None,
    }
    return render(request, "batchapp/guide/guide_article.html", context)


@login_not_required
@require_safe
def guide_terms(request: Request) -> HttpResponse:
    terms = sorted(TERMS.items(), key=lambda item: item[0].lower())
    return render(request, "batchapp/guide/guide_terms.html", _context() | {"terms": terms})


@login_not_required
@require_safe
def guide_help(request: Request, page: str) -> HttpResponse:
    """Show the help of the page with the URL name ``page``, as a page or in the drawer."""
    if page not in page_help.HELP:
        raise Http404("There is no such page.")
    page_text = page_help.HELP[page]
    context = _context() | {
        "help": page_text,
        "article": guide.articles()[page_text.article],
        "in_drawer": wants_fragment(request),
    }
    return render_partial(request, "batchapp/guide/guide_help.html", "help", context)


def _context() -> dict[str, object]:
    return {"articles": list(guide.articles().values()), "nav": "guide"}

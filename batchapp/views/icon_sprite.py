"""All icons as one SVG file that browsers cache."""

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from batchapp import icons


@login_not_required
@require_safe
@gzip_page
def icon_sprite(request: HttpRequest, version: str) -> HttpResponse:
    """Send the icons; the address has their version, so its content never changes."""
    if version != icons.version():
        raise Http404
    return HttpResponse(
        icons.sprite(),
        content_type="image/svg+xml",
        headers={"Cache-Control": "public, max-age=31536000, immutable"},
    )

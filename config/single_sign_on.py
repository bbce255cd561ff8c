"""Read the variables that name the provider of single sign-on."""

from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured


def applications(
    *, url: str, client_id: str, client_secret: str, name: str
) -> list[dict[str, Any]]:
    """Return django-allauth's list of OpenID Connect applications: one, or none without a URL.

    Raises:
        ImproperlyConfigured: says what is wrong, and repeats no secret.
    """
    if not url:
        return []
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ImproperlyConfigured(f"OIDC_URL: {url!r} is not an http or https address")
    for variable, value in (
        ("OIDC_CLIENT_ID", client_id),
        ("OIDC_CLIENT_SECRET", client_secret),
    ):
        if not value:
            raise ImproperlyConfigured(f"{variable}: the provider of OIDC_URL needs it")
    return [
        {
            "provider_id": "sso",
            "name": name,
            "client_id": client_id,
            "secret": client_secret,
            "settings": {"server_url": url},
        }
    ]

"""The decisions about single sign-on that django-allauth leaves to the portal."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from django.conf import settings
from django.http import HttpRequest

from batchapp.models import User
from batchapp.services.people import accounts


class SingleSignOnAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # allauth has no types
    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Return True for somebody unknown whose address is of a domain that may sign up."""
        addresses: list[EmailAddress] = sociallogin.email_addresses
        domains = {address.email.rpartition("@")[2].lower() for address in addresses}
        return bool(domains) and domains <= set(settings.SIGN_UP_DOMAINS)

    def authenticate_by_email(self, sociallogin: SocialLogin) -> tuple[User, str] | None:
        """Return who has the address that the provider vouches for.

        Somebody may have made an account with an address of another person, by a link that was
        made for that person. The account then becomes the other person's.
        """
        found: tuple[User, str] | None = super().authenticate_by_email(sociallogin)
        if found and found[0].is_active and not found[0].is_service_account:
            accounts.hand_over(found[0])
        return found

    def populate_user(self, request: HttpRequest, sociallogin: SocialLogin, data: Any) -> User:
        person: User = super().populate_user(request, sociallogin, data)
        person.clean()  # the address in lower case, by which one person is one row
        return person

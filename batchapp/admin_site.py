"""Django's admin as the portal offers it: for administrators, and safe from odd addresses."""

from typing import Any

from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db import DataError, transaction
from django.http import HttpRequest

from batchapp import access


class TolerantChangeList(ChangeList):
    """A list that is shown without its filters if a database cannot compare their values."""

    def get_results(self, request: HttpRequest) -> None:
        try:
            with transaction.atomic():
                super().get_results(request)
        # Values of addresses that are read only here: years, texts with a zero byte, decimals.
        except (DataError, OverflowError, TypeError, ValueError) as exc:
            raise IncorrectLookupParameters(str(exc)) from exc


class PortalAdminSite(AdminSite):
    site_header = site_title = "Batchapp"
    index_title = "Support"

    def has_permission(self, request: HttpRequest) -> bool:
        return access.can_administer(request.user)

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Register a page of the portal, with a tolerant list.

        Pages that other applications bring are left out: they show second factors, tokens and
        sessions, which belong to their people alone.
        """
        base = admin_class or ModelAdmin
        if base.__module__.startswith("batchapp."):
            tolerant = type(base.__name__, (_Tolerant, base), {"__module__": base.__module__})
            super().register(model_or_iterable, tolerant, **options)


class _Tolerant:
    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return TolerantChangeList

"""The addresses of the admin and of the portal, and the error pages."""

from django.contrib import admin
from django.urls import include, path

from batchapp.urls import ALIASES, API

urlpatterns = [
    path("admin/", admin.site.urls),
    API,
    path("", include("batchapp.urls")),
    *ALIASES,
]
handler400 = "batchapp.views.errors.bad_request"
handler403 = "batchapp.views.errors.forbidden"
handler429 = "batchapp.views.errors.too_many_requests"  # of django-allauth

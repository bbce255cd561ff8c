"""The addresses of the admin and of the portal, and the error pages."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("batchapp.urls")),
]
handler400 = "batchapp.views.errors.bad_request"
handler403 = "batchapp.views.errors.forbidden"

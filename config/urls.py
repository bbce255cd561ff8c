"""Which part of the portal answers which address."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("batchapp.urls")),
]
handler400 = "batchapp.views.errors.bad_request"
handler403 = "batchapp.views.errors.forbidden"

"""The admin for operators: people, projects and connections; other rows are read-only."""

import re
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse

from batchapp.domain.request_files.limits import ALLOWED_URLS
from batchapp.forms.people import AdminSignInForm
from batchapp.models import (
    REALTIME,
    Batch,
    Connection,
    Membership,
    OfferedModel,
    Price,
    Project,
    ProviderBatch,
    ProviderKey,
    SourceTable,
    Upload,
    User,
)
from batchapp.presenters.problem_text import problem_text

if TYPE_CHECKING:
    Admin = admin.ModelAdmin[Any]
    Inline = admin.TabularInline[Any, Any]
    PeopleAdmin = UserAdmin[User]
else:
    Admin, Inline, PeopleAdmin = admin.ModelAdmin, admin.TabularInline, UserAdmin

admin.site.site_header = admin.site.site_title = "Batchapp: operators"
admin.site.index_title = "People, projects, connections, prices"
admin.site.login_form = AdminSignInForm
admin.site.unregister(Group)  # roles are per project


URL_PATH = re.compile(r"(?:/[\w.~-]+)+", re.ASCII)  # compared with the url of a request exactly


class ReadOnly:
    """Workers and pages write these rows, so the admin must not change them."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @admin.display(description="problem")
    def problem_sentence(self, row: Any) -> str:
        return problem_text(row.problem)


class OfConnection(ReadOnly):
    """Rows that pages of the portal change; they are deleted here only with their connection."""

    opts: Any

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"
        return obj is not None and not request.path.startswith(reverse(name))


@admin.register(User)
class UserPage(PeopleAdmin):
    ordering = ["email"]
    list_display = ["email", "first_name", "last_name", "is_active", "is_staff", "last_login"]
    list_filter = ["is_staff", "is_superuser", "is_active"]
    search_fields = ["email", "first_name", "last_name"]
    filter_horizontal = ()
    readonly_fields = ["last_login", "date_joined"]
    fieldsets = [
        (None, {"fields": ["email", "password", "first_name", "last_name"]}),
        ("Rights", {"fields": ["is_active", "is_staff", "is_superuser", "user_permissions"]}),
        ("Dates", {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [
        (None, {"fields": ["email", "usable_password", "password1", "password2"]}),
    ]


class MembershipInline(Inline):
    model = Membership
    autocomplete_fields = ["user"]
    extra = 1


@admin.register(Project)
class ProjectPage(Admin):
    list_display = ["name", "slug", "connection", "created_at"]
    list_filter = ["connection"]
    search_fields = ["name", "slug"]
    prepopulated_fields = {"slug": ["name"]}
    inlines = [MembershipInline]

    def get_readonly_fields(
        self, request: HttpRequest, obj: Project | None = None
    ) -> tuple[str, ...]:
        """A project keeps its connection: its batches, keys and prices belong to it."""
        return ("connection",) if obj else ()

    def delete_model(self, request: HttpRequest, obj: Project) -> None:
        """Delete the tables of a project with their bytes before the database drops the rows."""
        obj.tables.all().delete_with_content()
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[Project]") -> None:
        SourceTable.objects.filter(project__in=queryset).delete_with_content()
        super().delete_queryset(request, queryset)


class ConnectionForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    def clean_windows(self) -> list[str]:
        windows: list[str] = self.cleaned_data["windows"]
        longest = Batch._meta.get_field("window").max_length or 0
        is_list = isinstance(windows, list) and len(windows) > 0
        if not is_list or not all(
            isinstance(name, str) and name.strip() == name and 0 < len(name) <= longest
            for name in windows
        ):
            raise ValidationError(
                'Write a list of texts of at most %(longest)d characters, such as ["24h", "1h"].',
                params={"longest": longest},
            )
        if REALTIME in windows or len(set(windows)) < len(windows):
            raise ValidationError(
                'Name each window once, and do not name "%(realtime)s": windows are compared '
                "with it.",
                params={"realtime": REALTIME},
            )
        return windows

    def clean_extra_urls(self) -> list[str]:
        urls: list[str] = self.cleaned_data["extra_urls"] or []
        longest = Batch._meta.get_field("endpoint").max_length or 0
        if not isinstance(urls, list) or not all(
            isinstance(url, str) and len(url) <= longest and URL_PATH.fullmatch(url)
            for url in urls
        ):
            raise ValidationError(
                "Write a list of paths of at most %(longest)d characters, such as "
                '["/v1/rerank", "/v1/score"].',
                params={"longest": longest},
            )
        return [url for url in dict.fromkeys(urls) if url not in ALLOWED_URLS]


class KeyedConnectionForm(ConnectionForm):
    """The form for superusers, with the platform key, which is stored and never shown."""

    platform_key = forms.CharField(
        max_length=500,
        required=False,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "off"}),
        help_text="Asks for the balance before a batch, and for prices. It cannot run batches. "
        "Stored encrypted; leave it empty to keep the stored key.",
    )
    forget_platform_key = forms.BooleanField(required=False)

    def save(self, commit: bool = True) -> Any:  # noqa: FBT001, FBT002  # Django's signature
        if secret := self.cleaned_data["platform_key"].strip():
            self.instance.set_platform_key(secret)
        elif self.cleaned_data["forget_platform_key"]:
            self.instance.set_platform_key("")
        return super().save(commit)


@admin.register(Connection)
class ConnectionPage(Admin):
    form = ConnectionForm

    def get_form(
        self,
        request: HttpRequest,
        obj: Connection | None = None,
        change: bool = False,  # noqa: FBT001, FBT002  # Django's signature
        **kwargs: Any,
    ) -> type[forms.ModelForm]:  # type: ignore[type-arg]
        if isinstance(request.user, User) and request.user.is_superuser:
            kwargs["form"] = KeyedConnectionForm
        return super().get_form(request, obj, change, **kwargs)

    list_display = ["name", "base_url", "windows", "is_sandbox"]
    search_fields = ["name"]


@admin.register(OfferedModel)
class OfferedModelPage(OfConnection, Admin):
    """The pages about models in the portal add, change and remove them."""

    list_display = ["model", "connection", "kind", "context_tokens", "max_new_tokens", "source"]
    list_filter = ["connection", "kind"]
    search_fields = ["model"]
    list_select_related = ["connection"]


@admin.register(Price)
class PricePage(OfConnection, Admin):
    """The price page of the portal adds, corrects and ends prices, and keeps ended prices."""

    list_display = [
        *("model", "window", "connection", "input_usd", "output_usd"),
        *("effective_from", "effective_to"),
    ]
    list_filter = ["connection", "window"]
    list_select_related = ["connection"]
    search_fields = ["model", "source"]


KEY_COLUMNS: list[Any] = [
    *("name", "connection", "user", "project", "last_four"),
    *("last_used_at", "tested_at", "is_refused"),
]


@admin.register(ProviderKey)
class ProviderKeyPage(ReadOnly, Admin):
    list_display = KEY_COLUMNS
    list_filter = ["connection", "is_refused"]
    fields = [*KEY_COLUMNS, "problem_sentence", "created_at"]
    list_select_related = ["connection", "user", "project"]


class ProviderBatchInline(ReadOnly, Inline):
    model = ProviderBatch
    exclude = ["problem"]
    readonly_fields = ["problem_sentence"]
    extra = 0


@admin.register(Batch)
class BatchPage(ReadOnly, Admin):
    list_display = ["name", "project", "status", "window", "requests", "created_at", "created_by"]
    list_filter = ["status", "connection"]
    search_fields = ["name", "id", "provider_batches__remote_id"]
    list_select_related = ["project", "created_by"]
    inlines = [ProviderBatchInline]


@admin.register(Upload)
class UploadPage(ReadOnly, Admin):
    list_display = ["name", "project", "status", "requests", "size", "created_at", "uploaded_by"]
    list_filter = ["status"]
    search_fields = ["name", "id", "sha256"]
    list_select_related = ["project", "uploaded_by"]
    exclude = ["blob", "problem"]
    readonly_fields = ["problem_sentence"]

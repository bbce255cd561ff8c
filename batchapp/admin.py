"""Django's admin, for administrators who help: all rows are read-only, but names and addresses."""

from typing import TYPE_CHECKING, Any

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html

from batchapp.models import (
    AuditEvent,
    AuditKind,
    Batch,
    Connection,
    Membership,
    OfferedModel,
    Price,
    Project,
    ProviderBatch,
    ProviderKey,
    Upload,
    User,
)
from batchapp.models.fields.encryption import SecretField
from batchapp.presenters.problem_text import problem_text
from batchapp.services.people import accounts

if TYPE_CHECKING:
    Admin = admin.ModelAdmin[Any]
    Inline = admin.TabularInline[Any, Any]
    PeopleAdmin = UserAdmin[User]
else:
    Admin, Inline, PeopleAdmin = admin.ModelAdmin, admin.TabularInline, UserAdmin

# The sign-in of the portal leads to the admin too, so that a second factor is asked for there.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]


def _plain_columns(model: type[Model]) -> list[str]:
    """Return the columns that hold no secret, in the order of the model."""
    columns = model._meta.concrete_fields
    return [row.name for row in columns if not isinstance(row, SecretField)]


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
    """Names and addresses are corrected here; the console invites, gives roles and deactivates."""

    ordering = ["email"]
    list_display = ["email", "first_name", "last_name", "is_active", "is_superuser", "last_login"]
    list_filter = ["is_superuser", "is_auditor", "is_active"]
    search_fields = ["email", "first_name", "last_name"]
    filter_horizontal = ()
    readonly_fields = [
        *("is_active", "is_staff", "is_superuser", "is_auditor", "last_login", "date_joined"),
    ]
    fieldsets = [
        (None, {"fields": ["email", "first_name", "last_name"]}),
        ("Rights", {"fields": ["is_active", "is_staff", "is_superuser", "is_auditor"]}),
        ("Dates", {"fields": ["last_login", "date_joined"]}),
    ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """People who did something are deactivated: what they did keeps their name."""
        return False

    def user_change_password(self, *_args: Any, **_options: Any) -> HttpResponse:
        """Let nobody sign in as somebody else: the console sends a link instead."""
        raise PermissionDenied

    def save_model(
        self,
        request: HttpRequest,
        obj: User,
        form: Any,
        change: bool,  # noqa: FBT001  # Django's signature
    ) -> None:
        """Vouch for the address: the person can sign in with it at once."""
        before = form.initial["email"]
        with transaction.atomic():
            super().save_model(request, obj, form, change)
            if obj.email != before:
                accounts.verify_address(obj)
                AuditEvent.objects.record(
                    AuditKind.ADDRESS_CHANGED,
                    request.user,
                    person=before,
                    before=before,
                    after=obj.email,
                )


class MembershipInline(ReadOnly, Inline):
    model = Membership
    extra = 0


@admin.register(Project)
class ProjectPage(ReadOnly, Admin):
    """The console changes projects: there it is recorded, and the members see who joined."""

    list_display = ["name", "slug", "connection", "created_at"]
    list_filter = ["connection"]
    search_fields = ["name", "slug"]
    fields = ["name", "slug", "connection", "cost_centre", "colour", "archived_at", "deleted_at"]
    inlines = [MembershipInline]


@admin.register(Connection)
class ConnectionPage(ReadOnly, Admin):
    """The console changes connections: there a new address gets no key of the old one."""

    list_display = ["name", "base_url", "windows", "is_sandbox"]
    search_fields = ["name"]

    def get_fields(self, request: HttpRequest, obj: Connection | None = None) -> list[Any]:
        return ["console_link", *(name for name in _plain_columns(Connection))]

    readonly_fields = ["console_link"]

    @admin.display(description="to change it")
    def console_link(self, connection: Connection) -> str:
        url = reverse("connection_detail", args=[connection.pk])
        return format_html('<a href="{}">{} in the console</a>', url, connection)


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

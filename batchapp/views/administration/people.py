"""All people of the portal: searched, given a role in it, sent a link for a new password."""

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Exists, OuterRef, Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from batchapp.domain.refused import Refused
from batchapp.forms.administration import ROLES, PeopleFilterForm, PortalRoleForm
from batchapp.forms.sign_in import ResetPasswordForm
from batchapp.http import Request, render_partial
from batchapp.models import AuditEvent, AuditKind, User
from batchapp.presenters.refusal_text import refusal_text
from batchapp.services.people.portal_roles import PortalRole, portal_role_of, set_portal_role
from batchapp.views.administration.console import (
    client_address,
    require_administrator,
)

PAGE_SIZE = 50
LIST = "person_list"
NAV = {"nav": "people"}


@require_safe
def person_list(request: Request) -> HttpResponse:
    """List the people, administrators first."""
    require_administrator(request)
    form = PeopleFilterForm(request.GET)
    filters = form.cleaned()
    has_second_factor = Authenticator.objects.filter(user=OuterRef("pk"))
    has_second_factor = has_second_factor.exclude(type=Authenticator.Type.RECOVERY_CODES)
    proofs = EmailAddress.objects.filter(
        user=OuterRef("pk"), email=OuterRef("email"), verified=True
    )
    people = User.objects.people().annotate(
        project_count=Count("memberships"),
        has_second_factor=Exists(has_second_factor),
        is_address_proven=Exists(proofs),
    )
    if filters["state"] != "all":
        people = people.filter(is_active=filters["state"] != "deactivated")
    if filters["role"] == PortalRole.ADMINISTRATOR:
        people = people.filter(is_superuser=True)
    elif filters["role"] == PortalRole.AUDITOR:
        people = people.filter(is_auditor=True, is_superuser=False)
    for word in (filters["q"] or "").split():
        people = people.filter(
            Q(email__icontains=word) | Q(first_name__icontains=word) | Q(last_name__icontains=word)
        )
    ordered = people.order_by("-is_superuser", "-is_auditor", "email")
    context = NAV | {
        "form": form,
        "page": Paginator(ordered, PAGE_SIZE).get_page(request.GET.get("page")),
        "is_narrow": any(filters.values()),
    }
    return render(request, "batchapp/administration/person_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def person_set_role(request: Request, person: int) -> HttpResponse:
    """Make a person administrator or auditor of the portal, or neither."""
    require_administrator(request)
    row = get_object_or_404(User.objects.people(), pk=person)
    is_self = row.pk == request.user.pk
    data = request.POST if request.method == "POST" else None
    form = PortalRoleForm(data, initial={"role": portal_role_of(row)}, is_self=is_self)
    if form.is_valid():
        role = PortalRole(form.cleaned_data["role"])
        try:
            set_portal_role(row, request.user, role, address=client_address(request))
        except Refused as exc:
            form.add_error("role", refusal_text(exc))
        else:
            name = dict(ROLES)[role].lower()
            messages.success(request, f"{row}: {name}.")
            return redirect("home" if is_self and role != PortalRole.ADMINISTRATOR else LIST)
    context = NAV | {"person": row, "form": form, "is_self": is_self}
    page = "batchapp/administration/person_set_role.html"
    return render_partial(request, page, "dialog", context)


@require_POST
def person_send_reset(request: Request, person: int) -> HttpResponse:
    """Send a person the link by which they choose a new password."""
    require_administrator(request)
    row = get_object_or_404(User.objects.people(), pk=person)
    form = ResetPasswordForm({"email": row.email})
    if not row.is_active or not form.is_valid():
        messages.error(request, f"{row} is deactivated: no link was sent.")
        return redirect(LIST)
    form.save(request)
    AuditEvent.objects.record(
        AuditKind.PASSWORD_RESET_SENT,
        request.user,
        address=client_address(request),
        person=row.email,
    )
    if settings.EMAIL_SERVER:
        messages.success(request, f"A link for a new password is on its way to {row.email}.")
    else:
        messages.info(
            request,
            f"No mail server is set, so the link for {row.email} waits under E-mail: open it "
            "there, and pass it on.",
        )
    return redirect(LIST)

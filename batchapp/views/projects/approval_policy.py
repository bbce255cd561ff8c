"""The page on which an owner decides which batches of a project need approval."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from batchapp.forms.approvals import ApprovalPolicyForm
from batchapp.http import Request
from batchapp.models import Membership
from batchapp.presenters.approval_card import policy_text
from batchapp.services.approvals import policy
from batchapp.views.administration.console import client_address
from batchapp.views.permissions import project_of, require_owner
from batchapp.views.project_page import project_page


@require_http_methods(["GET", "HEAD", "POST"])
def project_approvals(request: Request, slug: str) -> HttpResponse:
    project = project_of(request, slug)
    require_owner(request, project)
    data = request.POST if request.method == "POST" else None
    form = ApprovalPolicyForm(data, initial=ApprovalPolicyForm.values_of(project))
    if request.method == "POST" and form.is_valid():
        policy.set_policy(project, request.user, form.settings(), client_address(request))
        project.refresh_from_db()
        messages.success(request, policy_text(project))
        return redirect("project_settings", slug)
    owners = project.memberships.of_people().filter(
        role=Membership.Role.OWNER, user__is_active=True
    )
    context = project_page(request, project, "project_settings") | {
        "form": form,
        "now": policy_text(project),
        "owners": [row.user for row in owners.select_related("user")],
    }
    return render(request, "batchapp/projects/project_approvals.html", context)

"""The page of the cost centre that new batches of a project have."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from batchapp.forms.labels import CostCentreForm
from batchapp.http import Request
from batchapp.services.labels import batch_labels
from batchapp.views.permissions import project_of, require_owner
from batchapp.views.project_page import project_page


@require_http_methods(["GET", "HEAD", "POST"])
def project_cost_centre(request: Request, slug: str) -> HttpResponse:
    project = project_of(request, slug)
    require_owner(request, project)
    data = request.POST if request.method == "POST" else None
    form = CostCentreForm(data, initial={"cost_centre": project.cost_centre})
    if request.method == "POST" and form.is_valid():
        cost_centre = form.cleaned_data["cost_centre"]
        batch_labels.set_default_cost_centre(project, request.user, cost_centre)
        messages.success(request, "New batches have this cost centre. The others keep theirs.")
        return redirect("project_settings", slug)
    context = project_page(request, project, "project_settings") | {"form": form}
    return render(request, "batchapp/projects/project_cost_centre.html", context)

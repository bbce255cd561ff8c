"""The page on which a person chooses what to be told of, and by which way."""

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from batchapp.forms.notifications.preferences import CHANNELS, ChannelsForm, NoticeSettingsForm
from batchapp.http import Request
from batchapp.models import Project
from batchapp.presenters.notice_text import KINDS
from batchapp.services.notifications import preferences
from batchapp.views.permissions import memberships_of

LABELS = {kind: text.label for kind, text in KINDS.items()}


@require_http_methods(["GET", "HEAD", "POST"])
def notice_preferences(request: Request) -> HttpResponse:
    """Show and store the preferences for all projects, or for the one in the address."""
    user, project = request.user, _project(request)
    action = request.POST.get("action")
    channels_form = ChannelsForm(
        request.POST if action == "channels" else None,
        channels=preferences.channels_of(user, project),
        labels=LABELS,
    )
    row = preferences.settings_of(user)
    settings_form = NoticeSettingsForm(
        request.POST if action == "settings" else None,
        initial={"digest": row.digest, "quiet_below": row.quiet_below},
    )
    done = ""
    if action == "channels" and channels_form.is_valid():
        preferences.save_channels(user, project, channels_form.channels())
        done = f"Your choice for {project or 'all projects'} is saved."
    elif action == "settings" and settings_form.is_valid():
        preferences.save_settings(user, **settings_form.cleaned_data)
        done = "Your choice is saved."
    elif action == "forget" and project:
        preferences.forget_project(user, project)
        done = f"{project} has the same preferences as all projects again."
    if done:
        messages.success(request, done)
        return redirect(_address(project))
    context = {
        "channels": CHANNELS.values(),
        "channels_form": channels_form,
        "rows": [(KINDS[row.kind], row.fields) for row in channels_form.rows()],
        "settings_form": settings_form,
        "chosen_project": project,
        "has_own": project is not None and preferences.has_own(user, project),
        "projects_with_own": preferences.projects_with_own(user),
        "projects": [membership.project for membership in memberships_of(request)],
        "has_mail_server": bool(settings.EMAIL_SERVER),
        "nav": "profile",
    }
    return render(request, "batchapp/notifications/preferences.html", context)


def _project(request: Request) -> Project | None:
    slug = request.GET.get("project")
    if not slug:
        return None
    for membership in memberships_of(request):
        if membership.project.slug == slug:
            return membership.project
    raise Http404


def _address(project: Project | None) -> str:
    address = reverse("notice_preferences")
    return f"{address}?project={project.slug}" if project else address

"""The style guide: every component in every state, for developers of pages."""

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from batchapp import icons
from batchapp.access import can_administer
from batchapp.domain.results.outcome import Outcome
from batchapp.forms.date_range import DaysForm
from batchapp.http import Request
from batchapp.models import Project, User
from batchapp.pipeline.states import BATCH_STATES
from batchapp.presenters.batches import batch_cost
from batchapp.presenters.batches.batch_cost import Cost
from batchapp.presenters.batches.batch_summary import Progress
from batchapp.views.styleguide_charts import BUDGETS, CHARTS, RAILS, SPARKLINES

COLOURS = [
    *("page", "card", "sunken", "line", "edge", "text", "quiet", "accent", "accent-solid"),
    *("accent-back", "good", "good-back", "good-bar", "bad", "bad-back", "bad-bar", "warn"),
    *("warn-back", "warn-bar", "busy", "busy-back", "rest-bar", "side"),
    *("series-1", "series-2", "series-3", "series-4", "series-5", "series-6", "series-other"),
]
PROGRESS = [
    Progress(total=10_000, answered=0, failed=0, percent=0),
    Progress(total=10_000, answered=4_120, failed=0, percent=41),
    Progress(total=10_000, answered=9_871, failed=102, percent=99),
    Progress(total=300, answered=300, failed=0, percent=100),
    Progress(total=300, answered=0, failed=300, percent=100),
    Progress(total=300, answered=120, failed=4, percent=41, cancelled=176),
]
COSTS = [
    Cost("~$0.42", is_actual=False),
    Cost("$0.0035", is_actual=True),
    Cost("≥ $1.20 + 1 model without a price", is_actual=True, is_partial=True),
    Cost(batch_cost.NO_PRICE, is_actual=False, is_partial=True, is_unknown=True),
]
DRAWINGS = sorted(path.stem for path in (settings.BASE_DIR / "templates").rglob("drawings/*.svg"))
NAMES = [
    *("Support tickets", "support", "release-notes_of 2025", "王小明", "مشروع الدعم", "हिन्दी"),
    *("👩‍👩‍👧‍👦 family", "🇩🇪 🇫🇷", "<b>markup</b>", "a" + 40 * "\u0301", 40 * "long", "…"),
]
GRID_NAMES = [NAMES[0], NAMES[-2], NAMES[4], NAMES[2], NAMES[8], NAMES[1]]
GRID_COSTS = [COSTS[0], COSTS[0], COSTS[3], COSTS[1], COSTS[1], COSTS[0]]
SECTIONS = [
    *("Type", "Colours", "Icons", "Marks", "Drawings", "Status", "Figures", "Tables", "Lists"),
    *("Charts", "Buttons", "Forms", "Inputs", "Choosing", "Notes", "Texts"),
]
SIZES = ["figure", "page", "large", "title", "body", "small", "label"]
STEPS = [
    {"name": "File", "url": "#flow", "state": "done"},
    {"name": "Check", "url": "#flow", "state": "done"},
    {"name": "Window", "url": "", "state": "current"},
    {"name": "Review & submit", "url": "", "state": "todo"},
]
SAMPLE_JSON = '{\n  "custom_id": "ticket-1",\n  "method": "POST"\n}'


class SampleForm(forms.Form):
    """One field of each type; empty data shows the error of the required field."""

    name = forms.CharField(help_text="So that you can tell it from others.")
    window = forms.ChoiceField(choices=[("24h", "24 h"), ("1h", "1 h")])
    day = forms.DateField(widget=forms.DateInput(attrs={"type": "date"}), required=False)
    notes = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), required=False)


class ChoicesForm(forms.Form):
    """A short list, a long one, which is searched, and one that cannot be changed."""

    size = forms.ChoiceField(label="Few", choices=[("24h", "24 h"), ("1h", "1 h")])
    model = forms.ChoiceField(label="Many", choices=[(name, name) for name in icons.DRAWINGS])
    fixed = forms.ChoiceField(label="Not to be changed", disabled=True, choices=[("", "24 h")])


@require_safe
def styleguide(request: Request) -> HttpResponse:
    if not can_administer(request.user):
        raise PermissionDenied("The style page is for administrators.")
    if "message" in request.GET:
        messages.success(request, "A message after an action: it goes away by itself.")
    context = {
        "colours": COLOURS,
        "icons": list(icons.DRAWINGS),
        "drawings": DRAWINGS,
        "marked_projects": [Project(name=name, slug=f"{n}") for n, name in enumerate(NAMES)],
        "marked_people": [
            User(email="grace.hopper@example.com"),
            *(User(first_name=name, email="ada@example.com") for name in NAMES),
        ],
        "statuses": BATCH_STATES,
        "outcomes": list(Outcome),
        "progress": PROGRESS,
        "costs": COSTS,
        "steps": STEPS,
        "charts": CHARTS,
        "rails": RAILS,
        "budgets": BUDGETS,
        "sparklines": SPARKLINES,
        "form": SampleForm(),
        "choices": ChoicesForm(),
        "days": DaysForm(request.GET),
        "invalid_form": SampleForm({}),
        "sections": SECTIONS,
        "sizes": SIZES,
        "long_name": NAMES[-2],
        "grid_rows": [
            (status, User(first_name=name, email="ada@example.com"), done, cost)
            for status, name, done, cost in zip(
                BATCH_STATES, GRID_NAMES, PROGRESS, GRID_COSTS, strict=False
            )
        ],
        "sample_json": SAMPLE_JSON,
        "rows": range(6),
        "sort": "-created",
        "nav": "styleguide",
    }
    return render(request, "batchapp/styleguide.html", context)

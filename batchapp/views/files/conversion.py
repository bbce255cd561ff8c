"""What the pages of a file with findings need to offer its corrections."""

from typing import Any

from django.utils import timezone

from batchapp.domain.request_files.check_file import Report
from batchapp.forms.files.corrections import CorrectionForm
from batchapp.models import Upload
from batchapp.presenters.conversion import conversion_of
from batchapp.presenters.correction_options import CorrectionOptions, plan_for
from batchapp.presenters.unpriced_models import priced_models


def correction_context(upload: Upload, report: Report, unpriced: list[str]) -> dict[str, Any]:
    """Return the possible corrections, and the button that turns a file into requests.

    ``unpriced`` are models of the file without a price, of which others can take the place.
    """
    connection = upload.project.connection
    plan = plan_for(upload, report)
    needs_models = plan is not None and plan.asks_model
    models = priced_models(connection, report, timezone.now()) if needs_models else unpriced
    options = CorrectionOptions(report, models, unpriced, plan)
    context: dict[str, Any] = {"corrections": options.corrections}
    urls = connection.limits.urls
    if conversion := conversion_of(options, urls):
        form = CorrectionForm(
            initial={"model": options.default_model},
            offered=options.corrections,
            models=models,
            urls=urls,
        )
        context |= {"conversion": conversion, "form": form}
    return context

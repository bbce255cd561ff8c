"""The addresses of the pages."""

from collections.abc import Callable

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LogoutView
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, register_converter

from batchapp.models import ResultChunk
from batchapp.views import guide, health, home, icon_sprite, palette, styleguide
from batchapp.views.batches import batch_controls, batch_detail, batch_list, batch_retry
from batchapp.views.files import file_correction, file_upload, files
from batchapp.views.imports import imports
from batchapp.views.keys import keys, webhooks
from batchapp.views.offered_models import offered_model_import, offered_model_list
from batchapp.views.orders import order_readiness, order_review, order_steps
from batchapp.views.people import profile, sign_in
from batchapp.views.prices import price_changes, price_import, price_list
from batchapp.views.projects import members, projects
from batchapp.views.reports import cost_report, estimate_accuracy
from batchapp.views.results import result_list, unmatched_lines
from batchapp.views.tables import (
    file_origins,
    prompt_templates,
    table_builder,
    table_pages,
    table_start,
)


class KindConverter:
    """The kind of a result file in an address."""

    regex = "|".join(ResultChunk.Kind.values)

    def to_python(self, value: str) -> ResultChunk.Kind:
        return ResultChunk.Kind(value)

    def to_url(self, value: str) -> str:
        return str(value)


register_converter(KindConverter, "kind")


def page(route: str, view: Callable[..., HttpResponseBase]) -> URLPattern:
    """Return the URL of ``view``, with the name of the function."""
    return path(route, view, name=view.__name__)


urlpatterns = [
    page("", home.home),
    page("healthz", health.healthz),
    page("readyz", health.readyz),
    page("palette/", palette.palette),
    page("styleguide/", styleguide.styleguide),
    path("icons-<slug:version>.svg", icon_sprite.icon_sprite, name="icons"),
    # The user guide
    page("guide/", guide.guide_list),
    page("guide/terms/", guide.guide_terms),
    page("guide/help/<slug:page>/", guide.guide_help),
    page("guide/<slug:name>/", guide.guide_article),
    # People
    path("sign-in/", sign_in.SignIn.as_view(), name="login"),
    path("sign-out/", login_not_required(LogoutView.as_view()), name="logout"),
    page("profile/", profile.profile_edit),
    path("profile/password/", sign_in.PasswordChange.as_view(), name="password_change"),
    # Projects
    page("projects/", projects.project_list),
    page("projects/new/", projects.project_add),
    page("projects/<slug:slug>/", projects.project_detail),
    page("projects/<slug:slug>/settings/", projects.project_settings),
    page("projects/<slug:slug>/members/", members.member_list),
    page("projects/<slug:slug>/members/<int:member>/remove/", members.member_remove),
    page("projects/<slug:slug>/keys/", keys.key_list),
    page("projects/<slug:slug>/files/", files.file_list),
    page("projects/<slug:slug>/files/sample/", file_upload.file_add_sample),
    page("projects/<slug:slug>/tables/new/", table_start.table_add),
    page("projects/<slug:slug>/batches/", batch_list.project_batch_list),
    page("projects/<slug:slug>/batches/new/", order_steps.order_choose_file),
    page("projects/<slug:slug>/batches/import/", imports.import_list),
    page("projects/<slug:slug>/batches/import/state/", imports.import_progress),
    # Provider keys
    page("keys/<uuid:pk>/replace/", keys.key_replace),
    page("keys/<uuid:pk>/remove/", keys.key_remove),
    page("keys/<uuid:pk>/test/", keys.key_test),
    page("keys/<uuid:pk>/webhook/", webhooks.key_set_webhook),
    page("webhooks/<uuid:key>/", webhooks.webhook_receive),
    # Files
    page("files/<uuid:pk>/", files.file_detail),
    page("files/<uuid:pk>/state/", files.file_state),
    page("files/<uuid:pk>/check/", files.file_check),
    page("files/<uuid:pk>/correct/", file_correction.file_correct),
    page("files/<uuid:pk>/download/", files.file_download),
    page("files/<uuid:pk>/delete/", files.file_delete),
    page("files/<uuid:pk>/origin/", file_origins.file_origin),
    page("files/<uuid:pk>/origin/ids.csv", file_origins.file_id_map),
    page("files/<uuid:pk>/table/", table_start.file_open_as_table),
    page("files/<uuid:pk>/batch/", order_steps.order_check),
    page("files/<uuid:pk>/batch/window/", order_steps.order_choose_window),
    page("files/<uuid:pk>/batch/review/", order_review.order_review),
    page("files/<uuid:pk>/batch/ready/", order_readiness.order_readiness),
    # Tables and prompt templates
    page("tables/<uuid:pk>/", table_builder.table_detail),
    page("tables/<uuid:pk>/read/", table_pages.table_read),
    page("tables/<uuid:pk>/delete/", table_pages.table_delete),
    page("prompt-templates/<uuid:pk>/", prompt_templates.prompt_template_detail),
    page("prompt-templates/<uuid:pk>/delete/", prompt_templates.prompt_template_delete),
    # Batches
    page("batches/", batch_list.batch_list),
    page("batches/new/", order_steps.order_start),
    page("batches/<uuid:pk>/", batch_detail.batch_detail),
    page("batches/<uuid:pk>/cancel/", batch_controls.batch_cancel),
    page("batches/<uuid:pk>/pause/", batch_controls.batch_pause),
    page("batches/<uuid:pk>/resume/", batch_controls.batch_resume),
    page("batches/<uuid:pk>/retry-in-place/", batch_controls.batch_retry_in_place),
    page("batches/<uuid:pk>/try-again/", batch_controls.batch_try_again),
    page("batches/<uuid:pk>/retry/", batch_retry.batch_retry),
    page("batches/<uuid:pk>/merged.jsonl", batch_retry.batch_download_merged),
    page("batches/<uuid:pk>/results/", result_list.result_list),
    page("batches/<uuid:pk>/results/<int:line>/", result_list.result_detail),
    page("batches/<uuid:pk>/unmatched/", unmatched_lines.unmatched_line_list),
    page("batches/<uuid:pk>/unmatched.jsonl", unmatched_lines.unmatched_line_download),
    page("batches/<uuid:pk>/<kind:kind>.jsonl", batch_detail.batch_download),
    # Imports of batches from the provider
    page("imports/<uuid:pk>/try-again/", imports.import_try_again),
    page("imports/<uuid:pk>/dismiss/", imports.import_dismiss),
    # Reports and prices
    path("report/", cost_report.cost_report_show, name="cost_report"),
    path("report/accuracy/", estimate_accuracy.estimate_accuracy_show, name="estimate_accuracy"),
    page("report/batches.csv", cost_report.cost_report_csv),
    page("prices/", price_list.price_list),
    page("prices/prices.csv", price_list.price_list_csv),
    page("prices/missing/", price_list.unpriced_model_list),
    page("prices/import/", price_import.price_import),
    page("prices/add/", price_changes.price_add),
    page("prices/correct/", price_changes.price_correct),
    page("prices/end/", price_changes.price_end),
    page("prices/withdraw/", price_changes.price_withdraw),
    page("models/", offered_model_list.offered_model_list),
    page("models/models.csv", offered_model_list.offered_model_csv),
    page("models/add/", offered_model_list.offered_model_add),
    page("models/edit/", offered_model_list.offered_model_edit),
    page("models/remove/", offered_model_list.offered_model_remove),
    page("models/import/", offered_model_import.offered_model_import),
]

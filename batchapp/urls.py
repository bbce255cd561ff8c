"""The addresses of the pages."""

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LogoutView
from django.urls import path, register_converter

from batchapp.models import ResultChunk
from batchapp.views import home, icon_sprite, palette, styleguide
from batchapp.views.batches import batch_controls, batch_detail, batch_list, batch_retry
from batchapp.views.files import file_correction, file_upload, files
from batchapp.views.imports import imports
from batchapp.views.keys import keys, webhooks
from batchapp.views.orders import order_readiness, order_review, order_steps
from batchapp.views.people import profile, sign_in
from batchapp.views.prices import price_changes, price_import, price_list
from batchapp.views.projects import members, projects
from batchapp.views.reports import cost_report, estimate_accuracy
from batchapp.views.results import result_list, unmatched_lines
from batchapp.views.tables import prompt_templates, table_builder, table_preview


class KindConverter:
    """The kind of a result file in an address."""

    regex = "|".join(ResultChunk.Kind.values)

    def to_python(self, value: str) -> ResultChunk.Kind:
        return ResultChunk.Kind(value)

    def to_url(self, value: str) -> str:
        return str(value)


register_converter(KindConverter, "kind")

urlpatterns = [
    path("", home.home, name="home"),
    path("healthz", home.healthz, name="healthz"),
    path("palette/", palette.palette, name="palette"),
    path("styleguide/", styleguide.styleguide, name="styleguide"),
    path("icons-<slug:version>.svg", icon_sprite.icon_sprite, name="icons"),
    # People
    path("sign-in/", sign_in.SignIn.as_view(), name="login"),
    path("sign-out/", login_not_required(LogoutView.as_view()), name="logout"),
    path("profile/", profile.profile_edit, name="profile_edit"),
    path("profile/password/", sign_in.PasswordChange.as_view(), name="password_change"),
    # Projects
    path("projects/", projects.project_list, name="project_list"),
    path("projects/new/", projects.project_add, name="project_add"),
    path("projects/<slug:slug>/", projects.project_detail, name="project_detail"),
    path("projects/<slug:slug>/settings/", projects.project_settings, name="project_settings"),
    path("projects/<slug:slug>/members/", members.member_list, name="member_list"),
    path(
        "projects/<slug:slug>/members/<int:member>/remove/",
        members.member_remove,
        name="member_remove",
    ),
    path("projects/<slug:slug>/keys/", keys.key_list, name="key_list"),
    path("projects/<slug:slug>/files/", files.file_list, name="file_list"),
    path(
        "projects/<slug:slug>/files/sample/", file_upload.file_add_sample, name="file_add_sample"
    ),
    path("projects/<slug:slug>/tables/new/", table_builder.table_add, name="table_add"),
    path(
        "projects/<slug:slug>/batches/", batch_list.project_batch_list, name="project_batch_list"
    ),
    path(
        "projects/<slug:slug>/batches/new/",
        order_steps.order_choose_file,
        name="order_choose_file",
    ),
    path("projects/<slug:slug>/batches/import/", imports.import_list, name="import_list"),
    path(
        "projects/<slug:slug>/batches/import/state/",
        imports.import_progress,
        name="import_progress",
    ),
    # Provider keys
    path("keys/<uuid:pk>/replace/", keys.key_replace, name="key_replace"),
    path("keys/<uuid:pk>/remove/", keys.key_remove, name="key_remove"),
    path("keys/<uuid:pk>/test/", keys.key_test, name="key_test"),
    path("keys/<uuid:pk>/webhook/", webhooks.key_set_webhook, name="key_set_webhook"),
    path("webhooks/<uuid:key>/", webhooks.webhook_receive, name="webhook_receive"),
    # Files
    path("files/<uuid:pk>/", files.file_detail, name="file_detail"),
    path("files/<uuid:pk>/state/", files.file_state, name="file_state"),
    path("files/<uuid:pk>/check/", files.file_check, name="file_check"),
    path("files/<uuid:pk>/correct/", file_correction.file_correct, name="file_correct"),
    path("files/<uuid:pk>/download/", files.file_download, name="file_download"),
    path("files/<uuid:pk>/delete/", files.file_delete, name="file_delete"),
    path("files/<uuid:pk>/origin/", table_preview.file_origin, name="file_origin"),
    path("files/<uuid:pk>/origin/ids.csv", table_preview.file_id_map, name="file_id_map"),
    path("files/<uuid:pk>/batch/", order_steps.order_check, name="order_check"),
    path(
        "files/<uuid:pk>/batch/window/",
        order_steps.order_choose_window,
        name="order_choose_window",
    ),
    path("files/<uuid:pk>/batch/review/", order_review.order_review, name="order_review"),
    path("files/<uuid:pk>/batch/ready/", order_readiness.order_readiness, name="order_readiness"),
    # Tables and prompt templates
    path("tables/<uuid:pk>/", table_builder.table_detail, name="table_detail"),
    path("tables/<uuid:pk>/read/", table_builder.table_read, name="table_read"),
    path("tables/<uuid:pk>/delete/", table_builder.table_delete, name="table_delete"),
    path("tables/<uuid:pk>/preview/", table_preview.table_preview, name="table_preview"),
    path(
        "tables/<uuid:pk>/template/",
        table_preview.prompt_template_save,
        name="prompt_template_save",
    ),
    path(
        "prompt-templates/<uuid:pk>/",
        prompt_templates.prompt_template_detail,
        name="prompt_template_detail",
    ),
    path(
        "prompt-templates/<uuid:pk>/delete/",
        prompt_templates.prompt_template_delete,
        name="prompt_template_delete",
    ),
    # Batches
    path("batches/", batch_list.batch_list, name="batch_list"),
    path("batches/new/", order_steps.order_start, name="order_start"),
    path("batches/<uuid:pk>/", batch_detail.batch_detail, name="batch_detail"),
    path("batches/<uuid:pk>/cancel/", batch_controls.batch_cancel, name="batch_cancel"),
    path("batches/<uuid:pk>/pause/", batch_controls.batch_pause, name="batch_pause"),
    path("batches/<uuid:pk>/resume/", batch_controls.batch_resume, name="batch_resume"),
    path(
        "batches/<uuid:pk>/retry-in-place/",
        batch_controls.batch_retry_in_place,
        name="batch_retry_in_place",
    ),
    path("batches/<uuid:pk>/try-again/", batch_controls.batch_try_again, name="batch_try_again"),
    path("batches/<uuid:pk>/retry/", batch_retry.batch_retry, name="batch_retry"),
    path(
        "batches/<uuid:pk>/merged.jsonl",
        batch_retry.batch_download_merged,
        name="batch_download_merged",
    ),
    path("batches/<uuid:pk>/results/", result_list.result_list, name="result_list"),
    path("batches/<uuid:pk>/results/<int:line>/", result_list.result_detail, name="result_detail"),
    path(
        "batches/<uuid:pk>/unmatched/",
        unmatched_lines.unmatched_line_list,
        name="unmatched_line_list",
    ),
    path(
        "batches/<uuid:pk>/unmatched.jsonl",
        unmatched_lines.unmatched_line_download,
        name="unmatched_line_download",
    ),
    path(
        "batches/<uuid:pk>/<kind:kind>.jsonl", batch_detail.batch_download, name="batch_download"
    ),
    # Imports of batches from the provider
    path(
        "imports/<uuid:pk>/try-again/",
        imports.import_try_again,
        name="import_try_again",
    ),
    path("imports/<uuid:pk>/dismiss/", imports.import_dismiss, name="import_dismiss"),
    # Reports and prices
    path("report/", cost_report.cost_report_show, name="cost_report"),
    path("report/accuracy/", estimate_accuracy.estimate_accuracy_show, name="estimate_accuracy"),
    path("report/batches.csv", cost_report.cost_report_csv, name="cost_report_csv"),
    path("prices/", price_list.price_list, name="price_list"),
    path("prices/prices.csv", price_list.price_list_csv, name="price_list_csv"),
    path("prices/missing/", price_list.unpriced_model_list, name="unpriced_model_list"),
    path("prices/import/", price_import.price_import, name="price_import"),
    path("prices/add/", price_changes.price_add, name="price_add"),
    path("prices/correct/", price_changes.price_correct, name="price_correct"),
    path("prices/end/", price_changes.price_end, name="price_end"),
    path("prices/withdraw/", price_changes.price_withdraw, name="price_withdraw"),
]

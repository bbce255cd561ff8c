"""The console's addresses."""

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LogoutView
from django.urls import path, register_converter

from batchapp.models import Segment
from batchapp.views import home, icon_sprite, palette, styleguide
from batchapp.views.batches import batch_controls, batch_detail, batch_list, batch_retry
from batchapp.views.files import file_correction, file_upload, files
from batchapp.views.imports import batch_imports
from batchapp.views.keys import keys, webhooks
from batchapp.views.orders import order_readiness, order_review, order_steps
from batchapp.views.people import profile, sign_in
from batchapp.views.prices import price_changes, price_import, price_list
from batchapp.views.projects import members, projects
from batchapp.views.reports import cost_report, estimate_accuracy
from batchapp.views.results import result_list, unmatched_lines
from batchapp.views.tables import prompt_templates, table_builder, table_preview


class KindConverter:
    """Which of a batch's two result files."""

    regex = "|".join(Segment.Kind.values)

    def to_python(self, value: str) -> Segment.Kind:
        return Segment.Kind(value)

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
    path("profile/", profile.profile, name="profile"),
    path("profile/password/", sign_in.PasswordChange.as_view(), name="password_change"),
    # Projects
    path("projects/", projects.projects, name="projects"),
    path("projects/new/", projects.project_new, name="project_new"),
    path("projects/<slug:slug>/", projects.project, name="project"),
    path("projects/<slug:slug>/settings/", projects.project_settings, name="project_settings"),
    path("projects/<slug:slug>/members/", members.project_members, name="project_members"),
    path(
        "projects/<slug:slug>/members/<int:member>/remove/",
        members.project_member_remove,
        name="project_member_remove",
    ),
    path("projects/<slug:slug>/keys/", keys.project_keys, name="project_keys"),
    path("projects/<slug:slug>/files/", files.uploads, name="uploads"),
    path("projects/<slug:slug>/files/sample/", file_upload.upload_sample, name="upload_sample"),
    path("projects/<slug:slug>/builder/", table_builder.builder, name="builder"),
    path("projects/<slug:slug>/batches/", batch_list.project_batches, name="project_batches"),
    path("projects/<slug:slug>/batches/new/", order_steps.batch_file, name="batch_file"),
    path("projects/<slug:slug>/batches/bring-in/", batch_imports.adopting_page, name="adopting"),
    path(
        "projects/<slug:slug>/batches/bring-in/state/",
        batch_imports.adopting_state,
        name="adopting_state",
    ),
    # Provider keys
    path("keys/<uuid:pk>/replace/", keys.key_replace, name="key_replace"),
    path("keys/<uuid:pk>/remove/", keys.key_remove, name="key_remove"),
    path("keys/<uuid:pk>/test/", keys.key_try, name="key_try"),
    path("keys/<uuid:pk>/webhook/", webhooks.key_webhook, name="key_webhook"),
    path("hooks/<uuid:key>/", webhooks.hook, name="hook"),
    # Files
    path("files/<uuid:pk>/", files.upload, name="upload"),
    path("files/<uuid:pk>/state/", files.upload_state, name="upload_state"),
    path("files/<uuid:pk>/check/", files.upload_check, name="upload_check"),
    path("files/<uuid:pk>/correct/", file_correction.upload_repair, name="upload_repair"),
    path("files/<uuid:pk>/download/", files.upload_download, name="upload_download"),
    path("files/<uuid:pk>/delete/", files.upload_delete, name="upload_delete"),
    path("files/<uuid:pk>/origin/", table_preview.upload_origin, name="upload_origin"),
    path("files/<uuid:pk>/origin/ids.csv", table_preview.upload_ids, name="upload_ids"),
    path("files/<uuid:pk>/batch/", order_steps.batch_check, name="batch_check"),
    path("files/<uuid:pk>/batch/window/", order_steps.batch_window, name="batch_window"),
    path("files/<uuid:pk>/batch/review/", order_review.batch_review, name="batch_review"),
    path("files/<uuid:pk>/batch/ready/", order_readiness.batch_ready, name="batch_ready"),
    # Tables, and the templates that make files of them
    path("tables/<uuid:pk>/", table_builder.table, name="table"),
    path("tables/<uuid:pk>/read/", table_builder.table_read, name="table_read"),
    path("tables/<uuid:pk>/delete/", table_builder.table_delete, name="table_delete"),
    path("tables/<uuid:pk>/preview/", table_preview.table_preview, name="table_preview"),
    path("tables/<uuid:pk>/template/", table_preview.table_template, name="table_template"),
    path("templates/<uuid:pk>/", prompt_templates.template, name="template"),
    path("templates/<uuid:pk>/delete/", prompt_templates.template_delete, name="template_delete"),
    # Batches
    path("batches/", batch_list.batches, name="batches"),
    path("batches/new/", order_steps.batch_start, name="batch_start"),
    path("batches/<uuid:pk>/", batch_detail.batch, name="batch"),
    path("batches/<uuid:pk>/cancel/", batch_controls.batch_cancel, name="batch_cancel"),
    path("batches/<uuid:pk>/pause/", batch_controls.batch_pause, name="batch_pause"),
    path("batches/<uuid:pk>/resume/", batch_controls.batch_resume, name="batch_resume"),
    path("batches/<uuid:pk>/reopen/", batch_controls.batch_reopen, name="batch_reopen"),
    path("batches/<uuid:pk>/try-again/", batch_controls.batch_try_again, name="batch_try_again"),
    path("batches/<uuid:pk>/retry/", batch_retry.batch_retry, name="batch_retry"),
    path("batches/<uuid:pk>/merged.jsonl", batch_retry.batch_merged, name="batch_merged"),
    path("batches/<uuid:pk>/results/", result_list.batch_results, name="batch_results"),
    path("batches/<uuid:pk>/results/<int:line>/", result_list.result, name="result"),
    path("batches/<uuid:pk>/set-aside/", unmatched_lines.batch_strays, name="batch_strays"),
    path(
        "batches/<uuid:pk>/set-aside.jsonl",
        unmatched_lines.strays_download,
        name="strays_download",
    ),
    path(
        "batches/<uuid:pk>/<kind:kind>.jsonl", batch_detail.batch_download, name="batch_download"
    ),
    # Batches made elsewhere, on their way in
    path(
        "adoptions/<uuid:pk>/try-again/",
        batch_imports.adoption_try_again,
        name="adoption_try_again",
    ),
    path("adoptions/<uuid:pk>/dismiss/", batch_imports.adoption_dismiss, name="adoption_dismiss"),
    # Money
    path("report/", cost_report.report, name="report"),
    path("report/accuracy/", estimate_accuracy.report_accuracy, name="report_accuracy"),
    path("report/batches.csv", cost_report.report_csv, name="report_csv"),
    path("prices/", price_list.prices, name="prices"),
    path("prices/prices.csv", price_list.prices_csv, name="prices_csv"),
    path("prices/missing/", price_list.prices_missing, name="prices_missing"),
    path("prices/import/", price_import.prices_import, name="prices_import"),
    path("prices/add/", price_changes.price_add, name="price_add"),
    path("prices/correct/", price_changes.price_correct, name="price_correct"),
    path("prices/end/", price_changes.price_end, name="price_end"),
    path("prices/withdraw/", price_changes.price_withdraw, name="price_withdraw"),
]

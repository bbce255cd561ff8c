"""The console's addresses."""

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LogoutView
from django.urls import path, register_converter

from batchapp.models import Segment
from batchapp.views import home, palette, pictures, styleguide
from batchapp.views.batches import adopting, batch, batches, results, retries, steering, strays
from batchapp.views.building import making, tables, templates
from batchapp.views.files import files, receiving, repairs
from batchapp.views.keys import hooks, keys
from batchapp.views.ordering import orders, ready, review
from batchapp.views.people import profile, signing_in
from batchapp.views.prices import price_changes, price_imports, prices
from batchapp.views.projects import members, projects
from batchapp.views.reports import accuracy, reports


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
    path("icons-<slug:version>.svg", pictures.icon_sprite, name="icons"),
    # People
    path("sign-in/", signing_in.SignIn.as_view(), name="login"),
    path("sign-out/", login_not_required(LogoutView.as_view()), name="logout"),
    path("profile/", profile.profile, name="profile"),
    path("profile/password/", signing_in.PasswordChange.as_view(), name="password_change"),
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
    path("projects/<slug:slug>/files/sample/", receiving.upload_sample, name="upload_sample"),
    path("projects/<slug:slug>/builder/", tables.builder, name="builder"),
    path("projects/<slug:slug>/batches/", batches.project_batches, name="project_batches"),
    path("projects/<slug:slug>/batches/new/", orders.batch_file, name="batch_file"),
    path("projects/<slug:slug>/batches/bring-in/", adopting.adopting_page, name="adopting"),
    path(
        "projects/<slug:slug>/batches/bring-in/state/",
        adopting.adopting_state,
        name="adopting_state",
    ),
    # Provider keys
    path("keys/<uuid:pk>/replace/", keys.key_replace, name="key_replace"),
    path("keys/<uuid:pk>/remove/", keys.key_remove, name="key_remove"),
    path("keys/<uuid:pk>/test/", keys.key_try, name="key_try"),
    path("keys/<uuid:pk>/webhook/", hooks.key_webhook, name="key_webhook"),
    path("hooks/<uuid:key>/", hooks.hook, name="hook"),
    # Files
    path("files/<uuid:pk>/", files.upload, name="upload"),
    path("files/<uuid:pk>/state/", files.upload_state, name="upload_state"),
    path("files/<uuid:pk>/check/", files.upload_check, name="upload_check"),
    path("files/<uuid:pk>/correct/", repairs.upload_repair, name="upload_repair"),
    path("files/<uuid:pk>/download/", files.upload_download, name="upload_download"),
    path("files/<uuid:pk>/delete/", files.upload_delete, name="upload_delete"),
    path("files/<uuid:pk>/origin/", making.upload_origin, name="upload_origin"),
    path("files/<uuid:pk>/origin/ids.csv", making.upload_ids, name="upload_ids"),
    path("files/<uuid:pk>/batch/", orders.batch_check, name="batch_check"),
    path("files/<uuid:pk>/batch/window/", orders.batch_window, name="batch_window"),
    path("files/<uuid:pk>/batch/review/", review.batch_review, name="batch_review"),
    path("files/<uuid:pk>/batch/ready/", ready.batch_ready, name="batch_ready"),
    # Tables, and the templates that make files of them
    path("tables/<uuid:pk>/", tables.table, name="table"),
    path("tables/<uuid:pk>/read/", tables.table_read, name="table_read"),
    path("tables/<uuid:pk>/delete/", tables.table_delete, name="table_delete"),
    path("tables/<uuid:pk>/preview/", making.table_preview, name="table_preview"),
    path("tables/<uuid:pk>/template/", making.table_template, name="table_template"),
    path("templates/<uuid:pk>/", templates.template, name="template"),
    path("templates/<uuid:pk>/delete/", templates.template_delete, name="template_delete"),
    # Batches
    path("batches/", batches.batches, name="batches"),
    path("batches/new/", orders.batch_start, name="batch_start"),
    path("batches/<uuid:pk>/", batch.batch, name="batch"),
    path("batches/<uuid:pk>/cancel/", steering.batch_cancel, name="batch_cancel"),
    path("batches/<uuid:pk>/pause/", steering.batch_pause, name="batch_pause"),
    path("batches/<uuid:pk>/resume/", steering.batch_resume, name="batch_resume"),
    path("batches/<uuid:pk>/reopen/", steering.batch_reopen, name="batch_reopen"),
    path("batches/<uuid:pk>/try-again/", steering.batch_try_again, name="batch_try_again"),
    path("batches/<uuid:pk>/retry/", retries.batch_retry, name="batch_retry"),
    path("batches/<uuid:pk>/merged.jsonl", retries.batch_merged, name="batch_merged"),
    path("batches/<uuid:pk>/results/", results.batch_results, name="batch_results"),
    path("batches/<uuid:pk>/results/<int:line>/", results.result, name="result"),
    path("batches/<uuid:pk>/set-aside/", strays.batch_strays, name="batch_strays"),
    path("batches/<uuid:pk>/set-aside.jsonl", strays.strays_download, name="strays_download"),
    path("batches/<uuid:pk>/<kind:kind>.jsonl", batch.batch_download, name="batch_download"),
    # Batches made elsewhere, on their way in
    path("adoptions/<uuid:pk>/try-again/", adopting.adoption_try_again, name="adoption_try_again"),
    path("adoptions/<uuid:pk>/dismiss/", adopting.adoption_dismiss, name="adoption_dismiss"),
    # Money
    path("report/", reports.report, name="report"),
    path("report/accuracy/", accuracy.report_accuracy, name="report_accuracy"),
    path("report/batches.csv", reports.report_csv, name="report_csv"),
    path("prices/", prices.prices, name="prices"),
    path("prices/prices.csv", prices.prices_csv, name="prices_csv"),
    path("prices/missing/", prices.prices_missing, name="prices_missing"),
    path("prices/import/", price_imports.prices_import, name="prices_import"),
    path("prices/add/", price_changes.price_add, name="price_add"),
    path("prices/correct/", price_changes.price_correct, name="price_correct"),
    path("prices/end/", price_changes.price_end, name="price_end"),
    path("prices/withdraw/", price_changes.price_withdraw, name="price_withdraw"),
]

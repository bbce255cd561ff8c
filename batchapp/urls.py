"""The addresses of the pages."""

from collections.abc import Callable
from datetime import date
from typing import ClassVar

from allauth.account import views as account
from allauth.mfa.base import views as factors
from allauth.mfa.recovery_codes import views as codes
from allauth.mfa.totp import views as app
from allauth.mfa.webauthn import views as passkeys
from allauth.socialaccount import views as socialaccount
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LogoutView
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch, URLPattern, URLResolver, path, register_converter
from django.urls.converters import StringConverter
from django.urls.resolvers import RoutePattern
from django.utils.functional import cached_property

from batchapp.api.authentication import NAMESPACE
from batchapp.models import ResultChunk
from batchapp.views import guide, health, home, icon_sprite, palette, skill, styleguide
from batchapp.views.administration import (
    connections,
    deactivation,
    mail,
    person_factors,
    portal_projects,
    system,
)
from batchapp.views.administration import people as administered_people
from batchapp.views.approvals import approval_list, batch_approval
from batchapp.views.audit import audit_event_detail, audit_log
from batchapp.views.batches import (
    batch_controls,
    batch_detail,
    batch_keeping,
    batch_labels,
    batch_list,
    batch_problems,
    batch_retry,
    saved_views,
    selection,
    selection_retry,
)
from batchapp.views.direct import request_list as direct_pages
from batchapp.views.files import file_correction, file_marking, file_reuse, file_upload, files
from batchapp.views.imports import imports
from batchapp.views.keys import keys, webhooks
from batchapp.views.notifications import email_off, inbox
from batchapp.views.notifications import preferences as notice_choices
from batchapp.views.offered_models import offered_model_import, offered_model_list
from batchapp.views.orders import order_readiness, order_review, order_steps
from batchapp.views.people import (
    address_confirmation,
    first_run,
    invitations,
    profile,
    sessions,
    sign_in,
    single_sign_on,
)
from batchapp.views.portal_keys import portal_keys
from batchapp.views.prices import price_changes, price_import, price_list
from batchapp.views.projects import (
    approval_policy,
    budgets,
    cost_centre,
    danger_zone,
    members,
    projects,
    retention,
)
from batchapp.views.reports import cost_report, estimate_accuracy, reliability
from batchapp.views.results import (
    batch_compare,
    exports,
    result_detail,
    result_list,
    unmatched_lines,
)
from batchapp.views.statements import (
    statement_close,
    statement_detail,
    statement_list,
    statement_mail,
    statement_recipients,
)
from batchapp.views.tables import (
    answer_tables,
    file_origins,
    prompt_templates,
    table_builder,
    table_pages,
    table_start,
)
from batchapp.views.webhooks import webhook_messages
from batchapp.views.webhooks import webhooks as webhook_pages


class KindConverter:
    """The kind of a result file in an address."""

    regex = "|".join(ResultChunk.Kind.values)

    def to_python(self, value: str) -> ResultChunk.Kind:
        return ResultChunk.Kind(value)

    def to_url(self, value: str) -> str:
        return str(value)


class MonthConverter:
    """A month in an address, such as 2026-11, as its first day."""

    regex = "[0-9]{4}-[0-9]{2}"

    def to_python(self, value: str) -> date:
        return date.fromisoformat(f"{value}-01")

    def to_url(self, value: date) -> str:
        return f"{value:%Y-%m}"


class Base36Converter(StringConverter):
    """The number of a person in the address that resets the password."""

    regex = "[0-9a-z]+"


class ResolverOnDemand(URLResolver):
    """Addresses whose module is imported with the first request to one of them.

    Commands and workers need the addresses of pages, and do without the libraries of the API.
    """

    # Names of addresses below are not looked up: that would import the module in each process.
    url_patterns: ClassVar[list[URLPattern | URLResolver]] = []

    @cached_property
    def _imported(self) -> URLResolver:
        return URLResolver(
            self.pattern, self.urlconf_name, app_name=self.app_name, namespace=self.namespace
        )

    def resolve(self, path: str) -> ResolverMatch:
        return self._imported.resolve(path)


register_converter(KindConverter, "kind")
register_converter(MonthConverter, "month")
register_converter(Base36Converter, "base36")


def page(route: str, view: Callable[..., HttpResponseBase]) -> URLPattern:
    """Return the URL of ``view``, with the name of the function."""
    return path(route, view, name=view.__name__)


urlpatterns = [
    page("", home.home),
    page("seen/", home.home_seen),
    page("healthz", health.healthz),
    page("readyz", health.readyz),
    page("approvals/", approval_list.approval_list),
    page("palette/", palette.palette),
    page("styleguide/", styleguide.styleguide),
    page("skill.md", skill.skill_show),
    path("icons-<slug:version>.svg", icon_sprite.icon_sprite, name="icons"),
    # The user guide
    page("guide/", guide.guide_list),
    page("guide/terms/", guide.guide_terms),
    page("guide/help/<slug:page>/", guide.guide_help),
    page("guide/<slug:name>/", guide.guide_article),
    # Signing in, with the names that django-allauth uses
    page("first-run/", first_run.first_run),
    path("sign-in/", sign_in.sign_in, name="login"),
    path("sign-in/inactive/", account.account_inactive, name="account_inactive"),
    path("sign-in/again/", account.reauthenticate, name="account_reauthenticate"),
    path(
        "sign-in/again/by-e-mail/",
        account.request_reauthentication_code,
        name="account_request_reauthentication_code",
    ),
    path(
        "sign-in/again/code/",
        account.confirm_reauthentication_code,
        name="account_confirm_reauthentication_code",
    ),
    path("sign-in/second-factor/", factors.authenticate, name="mfa_authenticate"),
    path("sign-in/passkey/", passkeys.login_webauthn, name="mfa_login_webauthn"),
    path("sign-in/again/second-factor/", factors.reauthenticate, name="mfa_reauthenticate"),
    path(
        "sign-in/again/passkey/",
        passkeys.reauthenticate_webauthn,
        name="mfa_reauthenticate_webauthn",
    ),
    path(
        "sign-in/with/<slug:provider_id>/",
        single_sign_on.sso_start,
        name="openid_connect_login",
    ),
    path(
        "sign-in/with/<slug:provider_id>/callback/",
        single_sign_on.sso_end,
        name="openid_connect_callback",
    ),
    path(
        "sign-in/cancelled/", socialaccount.login_cancelled, name="socialaccount_login_cancelled"
    ),
    path("sign-out/", login_not_required(LogoutView.as_view()), name="logout"),
    path("sign-up/", sign_in.sign_up, name="account_signup"),
    path("sign-up/sent/", account.email_verification_sent, name="account_email_verification_sent"),
    path(
        "sign-up/verify/<str:key>/",
        address_confirmation.address_confirm,
        name="account_confirm_email",
    ),
    path("password/reset/", sign_in.password_reset, name="account_reset_password"),
    path("password/reset/sent/", account.password_reset_done, name="account_reset_password_done"),
    path(
        "password/reset/<base36:uidb36>-<str:key>/",
        account.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path(
        "password/reset/done/",
        account.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    # Invitations
    page("invitations/<uuid:pk>/answer/", invitations.invitation_answer),
    page("invitations/<slug:token>/", invitations.invitation_accept),
    page("administration/invitations/", invitations.portal_invitation_list),
    # Notices
    page("inbox/", inbox.inbox_list),
    page("inbox/mark/", inbox.inbox_mark),
    page("inbox/unread/", inbox.inbox_badge),
    page("notifications/off/<str:token>/", email_off.notice_email_off),
    page("statement-mail/confirm/<str:token>/", statement_mail.statement_mail_confirm),
    page("statement-mail/stop/<str:token>/", statement_mail.statement_mail_stop),
    page("profile/notifications/", notice_choices.notice_preferences),
    # People
    page("profile/", profile.profile_edit),
    page("profile/sessions/end/", sessions.session_end),
    path("profile/e-mail/", sign_in.address_change, name="account_email"),
    path("profile/password/", account.password_change, name="password_change"),
    path("profile/password/set/", sign_in.password_set, name="account_set_password"),
    path("profile/second-factor/", factors.index, name="mfa_index"),
    path("profile/second-factor/app/", app.activate_totp, name="mfa_activate_totp"),
    path("profile/second-factor/app/remove/", app.deactivate_totp, name="mfa_deactivate_totp"),
    path(
        "profile/second-factor/codes/", codes.view_recovery_codes, name="mfa_view_recovery_codes"
    ),
    path(
        "profile/second-factor/codes/new/",
        codes.generate_recovery_codes,
        name="mfa_generate_recovery_codes",
    ),
    path(
        "profile/second-factor/codes/codes.txt",
        codes.download_recovery_codes,
        name="mfa_download_recovery_codes",
    ),
    path("profile/second-factor/passkeys/", passkeys.list_webauthn, name="mfa_list_webauthn"),
    path("profile/second-factor/passkeys/add/", passkeys.add_webauthn, name="mfa_add_webauthn"),
    path(
        "profile/second-factor/passkeys/<int:pk>/rename/",
        passkeys.edit_webauthn,
        name="mfa_edit_webauthn",
    ),
    path(
        "profile/second-factor/passkeys/<int:pk>/remove/",
        passkeys.remove_webauthn,
        name="mfa_remove_webauthn",
    ),
    # Projects
    page("projects/", projects.project_list),
    page("projects/new/", projects.project_add),
    page("projects/<slug:slug>/", projects.project_detail),
    page("projects/<slug:slug>/settings/", projects.project_settings),
    page("projects/<slug:slug>/retention/", retention.project_retention),
    page("projects/<slug:slug>/approvals/", approval_policy.project_approvals),
    page("projects/<slug:slug>/cost-centre/", cost_centre.project_cost_centre),
    page("projects/<slug:slug>/audit/", audit_log.project_audit_log),
    page("projects/<slug:slug>/audit/events.csv", audit_log.project_audit_csv),
    page("projects/<slug:slug>/budgets/", budgets.budget_list),
    page("projects/<slug:slug>/budgets/new/", budgets.budget_add),
    page("projects/<slug:slug>/budgets/<uuid:budget>/", budgets.budget_change),
    page("projects/<slug:slug>/budgets/<uuid:budget>/remove/", budgets.budget_remove),
    page(
        "projects/<slug:slug>/statement-recipients/",
        statement_recipients.statement_recipient_list,
    ),
    page(
        "projects/<slug:slug>/statement-recipients/<uuid:recipient>/remove/",
        statement_recipients.statement_recipient_remove,
    ),
    page("projects/<slug:slug>/archive/", danger_zone.project_archive),
    page("projects/<slug:slug>/transfer/", danger_zone.project_transfer),
    page("projects/<slug:slug>/delete/", danger_zone.project_delete),
    page("projects/<slug:slug>/leave/", members.project_leave),
    page("projects/<slug:slug>/members/", members.member_list),
    page("projects/<slug:slug>/members/invitations/", invitations.invitation_list),
    page("projects/<slug:slug>/members/own-role/", members.own_role_change),
    page("projects/<slug:slug>/members/<int:member>/remove/", members.member_remove),
    page("projects/<slug:slug>/keys/", keys.key_list),
    page("projects/<slug:slug>/files/", files.file_list),
    page("projects/<slug:slug>/files/sample/", file_upload.file_add_sample),
    page("projects/<slug:slug>/tables/new/", table_start.table_add),
    page("projects/<slug:slug>/batches/", batch_list.project_batch_list),
    page("projects/<slug:slug>/single-requests/", direct_pages.direct_request_list),
    page("projects/<slug:slug>/single-requests/requests.csv", direct_pages.direct_request_csv),
    page("projects/<slug:slug>/exports/", exports.project_export_list),
    page("projects/<slug:slug>/batches/new/", order_steps.order_choose_file),
    page("projects/<slug:slug>/batches/import/", imports.import_list),
    page("projects/<slug:slug>/batches/import/state/", imports.import_progress),
    # Webhooks that the portal sends
    page("projects/<slug:slug>/webhooks/", webhook_pages.webhook_list),
    page("projects/<slug:slug>/webhooks/new/", webhook_pages.webhook_add),
    page("webhook-endpoints/<uuid:pk>/", webhook_messages.webhook_detail),
    page("webhook-endpoints/<uuid:pk>/edit/", webhook_pages.webhook_edit),
    page("webhook-endpoints/<uuid:pk>/rotate/", webhook_pages.webhook_rotate),
    page("webhook-endpoints/<uuid:pk>/switch/", webhook_pages.webhook_switch),
    page("webhook-endpoints/<uuid:pk>/delete/", webhook_pages.webhook_delete),
    page("webhook-endpoints/<uuid:pk>/test/", webhook_messages.webhook_test),
    page("webhook-endpoints/<uuid:pk>/replay/", webhook_messages.webhook_replay),
    page("webhook-messages/<uuid:pk>/", webhook_messages.webhook_message_detail),
    page("webhook-messages/<uuid:pk>/replay/", webhook_messages.webhook_message_replay),
    # Provider keys
    page("keys/<uuid:pk>/replace/", keys.key_replace),
    page("keys/<uuid:pk>/remove/", keys.key_remove),
    page("keys/<uuid:pk>/test/", keys.key_test),
    page("keys/<uuid:pk>/webhook/", webhooks.key_set_webhook),
    page("webhooks/<uuid:key>/", webhooks.webhook_receive),
    # Portal keys
    page("profile/portal-keys/", portal_keys.portal_key_list),
    page("projects/<slug:slug>/portal-keys/", portal_keys.project_portal_key_list),
    page("projects/<slug:slug>/portal-keys/new/", portal_keys.portal_key_add),
    page("portal-keys/revoke/", portal_keys.portal_key_revoke),
    page("portal-keys/<uuid:pk>/rotate/", portal_keys.portal_key_rotate),
    # Files
    page("files/<uuid:pk>/", files.file_detail),
    page("files/<uuid:pk>/state/", files.file_state),
    page("files/<uuid:pk>/check/", files.file_check),
    page("files/<uuid:pk>/correct/", file_correction.file_correct),
    page("files/<uuid:pk>/reuse/", file_reuse.file_reuse),
    page("files/<uuid:pk>/mark/", file_marking.file_mark),
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
    page("saved-views/add/", saved_views.saved_view_add),
    page("saved-views/<uuid:pk>/edit/", saved_views.saved_view_edit),
    page("saved-views/<uuid:pk>/delete/", saved_views.saved_view_delete),
    page("batches/selected/", selection.selection_review),
    page("batches/selected/retry/", selection_retry.selection_retry),
    page("batches/<uuid:pk>/", batch_detail.batch_detail),
    page("batches/<uuid:pk>/approval/", batch_approval.batch_approval),
    page("batches/<uuid:pk>/cancel/", batch_controls.batch_cancel),
    page("batches/<uuid:pk>/pause/", batch_controls.batch_pause),
    page("batches/<uuid:pk>/resume/", batch_controls.batch_resume),
    page("batches/<uuid:pk>/retry-in-place/", batch_controls.batch_retry_in_place),
    page("batches/<uuid:pk>/try-again/", batch_controls.batch_try_again),
    page("batches/<uuid:pk>/labels/", batch_labels.batch_label),
    page("batches/<uuid:pk>/hold/", batch_keeping.batch_hold),
    page("batches/<uuid:pk>/purge/", batch_keeping.batch_purge),
    page("batches/<uuid:pk>/problems/", batch_problems.batch_problems),
    page("batches/<uuid:pk>/retry/", batch_retry.batch_retry),
    page("batches/<uuid:pk>/compare/", batch_compare.batch_compare_choose),
    page("batches/compare/", batch_compare.batch_compare),
    page("batches/compare/comparison.csv", batch_compare.batch_compare_csv),
    page("batches/<uuid:pk>/answers-as-table/", answer_tables.answer_table_add),
    page("batches/<uuid:pk>/merged.jsonl", batch_retry.batch_download_merged),
    page("batches/<uuid:pk>/results/", result_list.result_list),
    page("batches/<uuid:pk>/results/distributions/", result_list.result_facets),
    page("batches/<uuid:pk>/results/<int:line>/", result_detail.result_detail),
    page("batches/<uuid:pk>/exports/", exports.export_list),
    page("batches/<uuid:pk>/unmatched/", unmatched_lines.unmatched_line_list),
    page("batches/<uuid:pk>/unmatched.jsonl", unmatched_lines.unmatched_line_download),
    page("batches/<uuid:pk>/<kind:kind>.jsonl", batch_detail.batch_download),
    # Files of results
    page("exports/<uuid:pk>/download/", exports.export_download),
    page("exports/<uuid:pk>/link/", exports.export_link),
    page("exports/<uuid:pk>/again/", exports.export_again),
    page("exports/<uuid:pk>/delete/", exports.export_delete),
    # Imports of batches from the provider
    page("imports/<uuid:pk>/try-again/", imports.import_try_again),
    page("imports/<uuid:pk>/dismiss/", imports.import_dismiss),
    # Administration
    page("administration/mail/", mail.mail_show),
    page("administration/mail/<uuid:pk>/", mail.mail_read),
    page("administration/", system.administration_home),
    page("administration/system/", system.system_status),
    page("administration/retention/", system.retention_preview),
    page("administration/connections/", connections.connection_list),
    page("administration/connections/add/", connections.connection_add),
    page("administration/connections/<int:connection>/", connections.connection_detail),
    page("administration/connections/<int:connection>/edit/", connections.connection_edit),
    page("administration/connections/<int:connection>/test/", connections.connection_test),
    page(
        "administration/connections/<int:connection>/platform-key/",
        connections.connection_set_platform_key,
    ),
    page("administration/connections/<int:connection>/archive/", connections.connection_archive),
    page("administration/connections/<int:connection>/remove/", connections.connection_remove),
    page("administration/people/", administered_people.person_list),
    page("administration/people/<int:person>/role/", administered_people.person_set_role),
    page("administration/people/<int:person>/deactivate/", deactivation.person_deactivate),
    page("administration/people/<int:person>/activate/", deactivation.person_activate),
    page("administration/people/<int:person>/reset/", administered_people.person_send_reset),
    page(
        "administration/people/<int:person>/second-factors/remove/",
        person_factors.person_remove_factors,
    ),
    page("administration/projects/", portal_projects.portal_project_list),
    page("administration/projects/<uuid:project>/join/", portal_projects.portal_project_join),
    # Audit
    page("audit/", audit_log.audit_log),
    page("audit/events.csv", audit_log.audit_csv),
    page("audit/<int:event>/", audit_event_detail.audit_event_detail),
    # Reports and prices
    path("report/", cost_report.cost_report_show, name="cost_report"),
    path("report/accuracy/", estimate_accuracy.estimate_accuracy_show, name="estimate_accuracy"),
    path("report/reliability/", reliability.reliability_show, name="reliability"),
    page("report/batches.csv", cost_report.cost_report_csv),
    page("report/table.csv", cost_report.cross_tab_csv),
    page("statements/", statement_list.statement_list),
    page("statements/recipients/", statement_recipients.cost_centre_recipient_list),
    page(
        "statements/recipients/<uuid:recipient>/remove/",
        statement_recipients.cost_centre_recipient_remove,
    ),
    page("statements/<month:month>/", statement_list.statement_month),
    page("statements/<month:month>/lines.csv", statement_list.statement_month_csv),
    page("statements/close/<month:month>/", statement_close.statement_month_close),
    page("statements/<month:month>/<slug:slug>/", statement_detail.statement_detail),
    page("statements/<month:month>/<slug:slug>/lines.csv", statement_detail.statement_csv),
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
API = ResolverOnDemand(
    RoutePattern("v1/"), "batchapp.api.urls", app_name=NAMESPACE, namespace=NAMESPACE
)
# The same pages by further names that django-allauth uses. These come last, so that an address
# resolves to the name above, by which a page is known.
ALIASES = [
    path("profile/", profile.profile_edit, name="socialaccount_connections"),
    path("sign-in/", sign_in.sign_in, name="account_login"),
    path("sign-out/", login_not_required(LogoutView.as_view()), name="account_logout"),
    path("profile/password/", account.password_change, name="account_change_password"),
]

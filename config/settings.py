"""All settings, in labelled groups; the environment decides, also in CI and production.

No other module distinguishes kinds of databases, brokers or caches.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

import dj_database_url
import django
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key

from config import email_url, env, single_sign_on, storage_url
from config.file_modes import make_private

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env.text("DATA_DIR", str(BASE_DIR / "var"))).resolve()
make_private(DATA_DIR)

# --- Addresses and access ----------------------------------------------------------------------

PUBLIC_URL = env.text("PUBLIC_URL", f"http://localhost:{env.integer('PORT', 8000)}").rstrip("/")
_public = urlsplit(PUBLIC_URL)
if _public.scheme not in {"http", "https"} or not _public.hostname:
    raise ImproperlyConfigured(f"PUBLIC_URL: {PUBLIC_URL!r} is not an http or https address")

DEBUG = env.flag("DEBUG", default=False)
ALLOWED_HOSTS = [_public.hostname, "localhost", "127.0.0.1", "[::1]", *env.words("ALLOWED_HOSTS")]
CSRF_TRUSTED_ORIGINS = [f"{_public.scheme}://{_public.netloc}"]
SECRET_KEY = env.secret("SECRET_KEY", DATA_DIR / "secrets/secret_key", get_random_secret_key)

# Browsers stay on https if it is used; on plain http a laptop must be able to sign in.
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _public.scheme == "https"
YEAR = 365 * 24 * 3600  # seconds
SECURE_HSTS_SECONDS = env.integer("HSTS_SECONDS", YEAR, minimum=0) if SECURE_SSL_REDIRECT else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.flag("HSTS_INCLUDE_SUBDOMAINS", default=False)
SECURE_HSTS_PRELOAD = env.flag("HSTS_PRELOAD", default=False)
if SECURE_HSTS_PRELOAD and not (SECURE_HSTS_INCLUDE_SUBDOMAINS and SECURE_HSTS_SECONDS >= YEAR):
    raise ImproperlyConfigured(
        "HSTS_PRELOAD: browsers accept it only with https, HSTS_INCLUDE_SUBDOMAINS=yes and "
        f"HSTS_SECONDS of at least {YEAR}"
    )
# These ask for subdomains and preload. Both bind hosts that are not this portal's, and cannot be
# taken back for a year, so whoever owns the domain decides, and not a default.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if SECURE_SSL_REDIRECT else None
SECURE_REDIRECT_EXEMPT = [r"^(health|ready)z$"]
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}

# --- The application ---------------------------------------------------------------------------

# From 6.0 Django renders fragments of a template itself, without django-template-partials.
HAS_PARTIALS = django.VERSION >= (6,)

INSTALLED_APPS = [
    "batchapp",
    "batchapp.apps.PortalAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "csp",
    "django_htmx",
    *([] if HAS_PARTIALS else ["template_partials"]),
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "batchapp.http.PageCompression",
    "csp.middleware.CSPMiddleware",
    "batchapp.http.private",
    "batchapp.http.note_origin",
    "batchapp.api.authentication.PortalKeyAuthentication",  # before the cookies are read
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "batchapp.views.upload_doors.UploadDoors",  # before the form is parsed for its token
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "batchapp.views.people.first_run.FirstRun",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "batchapp.views.portal_time.PersonTimeZone",
    "batchapp.views.people.sessions.SessionActivity",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "batchapp.views.errors.DeletedContent",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
_LOADERS = ["config.template_loader.Loader", "django.template.loaders.app_directories.Loader"]
_CACHED = ("django.template.loaders.cached.Loader", _LOADERS)
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "loaders": [
                _CACHED if HAS_PARTIALS else ("template_partials.loader.Loader", [_CACHED])
            ],
            "builtins": [
                "django.contrib.humanize.templatetags.humanize",
                "django.templatetags.static",
                *([] if HAS_PARTIALS else ["template_partials.templatetags.partials"]),
                "batchapp.templatetags.words",
                "batchapp.templatetags.statuses",
                "batchapp.templatetags.components",
                "batchapp.templatetags.marks",
                "batchapp.templatetags.terms",
                "batchapp.presenters.accounting_text",
                "batchapp.presenters.batches.batch_due",
                "batchapp.presenters.event_text",
                "batchapp.presenters.export_text",
                "batchapp.presenters.notice_email",
                "batchapp.presenters.notice_text",
                "batchapp.presenters.page_help",
                "batchapp.presenters.price_parts",
                "batchapp.presenters.problem_text",
                "batchapp.presenters.readiness_text",
                "batchapp.presenters.statements.statement_mail",
                "batchapp.presenters.statements.statement_text",
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "batchapp.views.context_processors.shell",
            ],
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en-us"
USE_I18N = False
# Who may create projects; the person who creates one is its first owner.
PROJECT_FOUNDERS = env.choice("PROJECT_FOUNDERS", "everyone", ["everyone", "administrators"])
# Days after the end of a month until a worker closes it, and makes its statements.
STATEMENT_CLOSING_DAYS = env.integer("STATEMENT_CLOSING_DAYS", 3, minimum=0)
TIME_ZONE = env.choice("TIME_ZONE", "UTC", available_timezones())
USE_TZ = True

# --- People and how they sign in ----------------------------------------------------------------

AUTH_USER_MODEL = "batchapp.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
PASSWORD_RESET_TIMEOUT = 24 * 3600  # seconds that the link in an e-mail is good for

ACCOUNT_ADAPTER = "batchapp.views.people.account_adapter.AccountAdapter"
ACCOUNT_FORMS = {
    "login": "batchapp.forms.sign_in.SignInForm",
    "signup": "batchapp.forms.sign_in.SignUpForm",
    "add_email": "batchapp.forms.sign_in.AddressForm",
    "change_password": "batchapp.forms.sign_in.ChangePasswordForm",
    "set_password": "batchapp.forms.sign_in.SetPasswordForm",
    "reset_password": "batchapp.forms.sign_in.ResetPasswordForm",
    "reset_password_from_key": "batchapp.forms.sign_in.NewPasswordForm",
    "reauthenticate": "batchapp.forms.sign_in.ReauthenticateForm",
    "confirm_reauthentication_code": "batchapp.forms.sign_in.ReauthenticationCodeForm",
}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # no e-mail to addresses that a stranger types
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_EMAIL_NOTIFICATIONS = True  # of a changed password, address or second factor
ACCOUNT_CHANGE_EMAIL = True  # a person has one address
ACCOUNT_LOGIN_ON_PASSWORD_RESET = True  # a person who was locked out by others comes in
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = _public.scheme
# "key" is the e-mail address together with the network address: see the adapter.
ACCOUNT_RATE_LIMITS = {
    "login": "60/m/ip",
    "login_failed": "10/m/ip,60/h/ip,10/15m/key",
    # Each sends an e-mail to an address that the person chooses.
    "manage_email": "10/m/user,30/h/user",
    "invite_by_email": "50/h/user",
    "ask_statement_recipient": "20/h/user",
}
MFA_ADAPTER = "batchapp.views.people.second_factor_adapter.SecondFactorAdapter"
MFA_FORMS = {
    "authenticate": "batchapp.forms.second_factors.CodeForm",
    "reauthenticate": "batchapp.forms.second_factors.CodeAgainForm",
    "activate_totp": "batchapp.forms.second_factors.AddAppForm",
    "add_webauthn": "batchapp.forms.second_factors.AddPasskeyForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = f"Batchapp {_public.hostname}"
MFA_TOTP_TOLERANCE = 1  # of 30 seconds, for a phone whose clock is off
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = _public.scheme == "http"  # on a laptop
# Single sign-on. The provider vouches for addresses: it links a person who is known by one.
SOCIALACCOUNT_ADAPTER = "batchapp.views.people.single_sign_on_adapter.SingleSignOnAdapter"
SOCIALACCOUNT_EMAIL_AUTHENTICATION = SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
# A link, as browsers refuse to be sent from a form to a host that the content policy leaves out.
SOCIALACCOUNT_LOGIN_ON_GET = True
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": single_sign_on.applications(
            url=env.text("OIDC_URL", ""),
            client_id=env.text("OIDC_CLIENT_ID", ""),
            client_secret=env.text("OIDC_CLIENT_SECRET", ""),
            name=env.text("OIDC_NAME", "single sign-on"),
        ),
    }
}
# Whoever has an address of these domains may make an account; by default nobody may.
SIGN_UP_DOMAINS = [domain.lower().lstrip("@") for domain in env.words("SIGN_UP_DOMAINS")]
EVEN_ANSWER_SECONDS = 0.6  # for a reset and a sign-up, of a known address or not
# The proxies in front of the portal, of which each adds an address to X-Forwarded-For.
ALLAUTH_TRUSTED_PROXY_COUNT = env.integer("TRUSTED_PROXIES", 0, minimum=0)

# --- E-mail ------------------------------------------------------------------------------------

EMAIL_BACKEND = "batchapp.services.mail.backend.OutboxBackend"
EMAIL_SERVER = email_url.email_server(env.url("EMAIL_URL", "log://", email_url.SCHEMES))
DEFAULT_FROM_EMAIL = env.text("EMAIL_FROM", f"Batchapp <batchapp@{_public.hostname}>")

# --- Webhooks ----------------------------------------------------------------------------------

# Messages of the portal go to public addresses and to these networks alone.
WEBHOOK_PRIVATE_NETWORKS = env.networks("WEBHOOK_PRIVATE_NETWORKS")

# --- One URL for each backing service; each default needs only a disk --------------------------

DATABASES = {
    "default": dj_database_url.parse(
        env.url(
            "DATABASE_URL",
            f"sqlite:///{DATA_DIR}/portal.sqlite3",
            ["sqlite", "postgres", "postgresql"],
        ),
        conn_max_age=60,
        conn_health_checks=True,
    )
}
CACHE_URL = env.url("CACHE_URL", "database://", ["database", "redis"])
CELERY_BROKER_URL = env.url("BROKER_URL", "filesystem://localhost", ["filesystem", "redis"])
QUEUE_DIR = DATA_DIR / "queue"

# The options of each backend by its name. SQLite: writers wait instead of failing, and readers
# are never blocked. Filesystem broker: a transport of our own, which broadcasts nothing.
DATABASE_OPTIONS: dict[str, dict[str, Any]] = {
    "sqlite3": {
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    },
    "postgresql": {"connect_timeout": 10},  # seconds; a server may be there and not answer
}
DATABASES["default"].setdefault("OPTIONS", {}).update(
    DATABASE_OPTIONS[DATABASES["default"]["ENGINE"].rpartition(".")[2]]
)
# The statement that returns the bytes of the database.
DATABASE_SIZE_QUERY = {
    "sqlite3": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": "SELECT pg_database_size(current_database())",
}[DATABASES["default"]["ENGINE"].rpartition(".")[2]]
CACHES = {
    "default": {
        # All processes must count the same wrong passwords, so no cache of one process will do.
        "database": {
            "BACKEND": "django.core.cache.backends.db.DatabaseCache",
            "LOCATION": "batchapp_cacheentry",
            "OPTIONS": {"MAX_ENTRIES": 100_000},  # beyond it limits would be forgotten
        },
        "redis": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": CACHE_URL,
        },
    }[urlsplit(CACHE_URL).scheme]
}
CELERY_BROKER_TRANSPORT, CELERY_WORKER_ENABLE_REMOTE_CONTROL, CELERY_BROKER_TRANSPORT_OPTIONS = {
    "filesystem": (
        "config.file_broker:Transport",
        False,
        {"folder": str(QUEUE_DIR), "polling_interval": 0.1},  # seconds
    ),
    # The timeout in seconds, longer than any task's time limit.
    "redis": (None, True, {"visibility_timeout": 3600}),
}[urlsplit(CELERY_BROKER_URL).scheme]

# --- Background work ---------------------------------------------------------------------------

# A row stays this long with a worker that stopped responding; a working worker renews its lease.
LEASE = timedelta(seconds=env.integer("LEASE_SECONDS", 60, minimum=5))

CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_TIME_LIMIT = 1800  # seconds; leases are renewed while a long step works
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_TASK_SERIALIZER = "json"
CELERY_TIMEZONE = TIME_ZONE
TICK_SECONDS = env.integer("TICK_SECONDS", 2)
# In memory: the only entry is due at every start, and a file could not be written on a full disk.
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"
CELERY_BEAT_SCHEDULE = {
    "tick": {
        "task": "batchapp.tasks.tick",
        "schedule": TICK_SECONDS,
        # After downtime a few ticks are enough; the clocks of hosts may differ by some seconds.
        "options": {"expires": 10 * TICK_SECONDS},
    },
}

# --- Files and secrets -------------------------------------------------------------------------

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
MEDIA_ROOT = DATA_DIR / "files"
STORAGES = {
    "default": storage_url.storage_backend(
        env.url("STORAGE_URL", "filesystem://localhost", storage_url.SCHEMES),
        copies_dir=DATA_DIR / "copies",
    ),
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
FILE_UPLOAD_TEMP_DIR = DATA_DIR / "uploading"
FILE_UPLOAD_TEMP_DIR.mkdir(exist_ok=True)
FILE_UPLOAD_PERMISSIONS, FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o600, 0o700
FILE_UPLOAD_HANDLERS = ["batchapp.http.UploadHandler"]
# The largest request body that the portal reads; the limit of a connection may be lower.
MAX_UPLOAD_MIB = env.integer("MAX_UPLOAD_MIB", 2048)

# Fernet keys for stored provider keys: the first encrypts and all decrypt, so add a new key first.
ENCRYPTION_KEYS = env.fernet_keys("ENCRYPTION_KEYS", DATA_DIR / "secrets/encryption_keys")

# --- Audit -------------------------------------------------------------------------------------

# The days that events of the audit are kept; 0 keeps them for ever.
AUDIT_RETENTION_DAYS = env.integer("AUDIT_RETENTION_DAYS", 0, minimum=0)

# --- Logs --------------------------------------------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "config.discreet_logs.LineFormatter",
            "fmt": "%(asctime)s %(levelname)s %(name)s: %(message)s",
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {
        "handlers": ["console"],
        "level": env.choice("LOG_LEVEL", "INFO", ["DEBUG", "INFO", "WARNING", "ERROR"]),
    },
    # These log every request and message at INFO; the lines of the portal have more facts.
    "loggers": {
        name: {"level": "WARNING"}
        for name in ("httpx", "celery.app.trace", "celery.beat", "celery.worker.strategy")
    },
}

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

from config import env
from config.file_modes import make_private

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env.text("DATA_DIR", str(BASE_DIR / "var"))).resolve()
make_private(DATA_DIR)

# --- Addresses and access ----------------------------------------------------------------------

PUBLIC_URL = env.text("PUBLIC_URL", "http://localhost:8000").rstrip("/")
_public = urlsplit(PUBLIC_URL)
if _public.scheme not in {"http", "https"} or not _public.hostname:
    raise ImproperlyConfigured(f"PUBLIC_URL: {PUBLIC_URL!r} is not an http or https address")

DEBUG = env.flag("DEBUG", default=False)
ALLOWED_HOSTS = [_public.hostname, "localhost", "127.0.0.1", "[::1]", *env.words("ALLOWED_HOSTS")]
CSRF_TRUSTED_ORIGINS = [f"{_public.scheme}://{_public.netloc}"]
SECRET_KEY = env.secret("SECRET_KEY", DATA_DIR / "secrets/secret_key", get_random_secret_key)

# Browsers stay on https if it is used; on plain http a laptop must be able to sign in.
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _public.scheme == "https"
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if SECURE_SSL_REDIRECT else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE_SSL_REDIRECT
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
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
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
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "batchapp.views.upload_doors.UploadDoors",  # before the form is parsed for its token
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
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
                "batchapp.presenters.page_help",
                "batchapp.presenters.problem_text",
                "batchapp.presenters.readiness_text",
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
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en-us"
USE_I18N = False
TIME_ZONE = env.choice("TIME_ZONE", "UTC", available_timezones())
USE_TZ = True

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
CACHE_URL = env.url("CACHE_URL", "locmem://", ["locmem", "redis"])
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
CACHES = {
    "default": {
        "locmem": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
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
    "default": {"BACKEND": "config.file_storage.FileStorage"},
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

# --- Logs --------------------------------------------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
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

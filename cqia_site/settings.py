"""Settings, read from the environment. With nothing set the system runs on this machine alone, safely."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote

import environ
from celery.schedules import crontab
from django.utils.csp import CSP
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from cqia_site import storing
from cqia_site.secret import data_folder, generated_secret

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.FileAwareEnv()

VERSION = "0.1.0"
DATA_DIR = data_folder(BASE_DIR, env.str("CQIA_DATA_DIR", "var"))

DEBUG = env.bool("DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY", "") or generated_secret(DATA_DIR)
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
BEHIND_TLS_PROXY = env.bool("BEHIND_TLS_PROXY", False)

INSTALLED_APPS = [
    "cqia_site.apps.SiteConfig",
    "pgtrigger",
    "pghistory",
    "review.apps.ReviewConfig",
    "ingest.apps.IngestConfig",
    "exports.apps.ExportsConfig",
    "cqia_site.apps.AdministrationConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "django_filters",
    "django_htmx",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "knox",
    "rest_framework",
]

MIDDLEWARE = [
    "cqia_site.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "cqia_site.middleware.HeadersMiddleware",
    "cqia_site.middleware.ProxyWitnessMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "cqia_site.middleware.SignInMiddleware",
    "cqia_site.middleware.LastSeenMiddleware",
    "cqia_site.middleware.HistoryMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "cqia_site.middleware.DatabaseUnavailableMiddleware",
]

ROOT_URLCONF = "cqia_site.urls"
WSGI_APPLICATION = "cqia_site.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "loaders": [
                (
                    "cqia_site.template_loader.Loader",
                    ["django.template.loaders.filesystem.Loader", "django.template.loaders.app_directories.Loader"],
                )
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.csp",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# For the statements of `review.prepared`; no others have parameters when they reach the server.
_PLANNED_ONCE = "-c plan_cache_mode=force_generic_plan"
# The commands of `manage.py` set DATABASE_URL and REDIS_URL for the embedded services before this file is read;
# the defaults reach nothing, so that tools which only read settings start no server.
_database = env.db_url("DATABASE_URL", default="postgres:///cqia")
DATABASES = {
    "default": _database
    | {
        "HOST": unquote(_database["HOST"]),  # a socket's folder stands in the address as %2Fpath
        "CONN_MAX_AGE": env.int("CONN_MAX_AGE", 600),
        "CONN_HEALTH_CHECKS": True,
        # Statements of `review.prepared` are kept prepared, all others never are. `?prepare_threshold=None` in
        # DATABASE_URL ends that, for a pooler that hands out another connection for each transaction.
        "OPTIONS": {"options": f"-c lock_timeout=10s -c jit=off {_PLANNED_ONCE}", "prepare_threshold": 1}
        | _database.get("OPTIONS", {}),
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", default="redis://127.0.0.1:1/0")

# kombu has its own words for a socket, and for the number of the database on it.
CELERY_BROKER_URL = REDIS_URL.replace("?db=", "?virtual_host=").replace("unix://", "redis+socket://", 1)
CACHES = {
    "default": {"BACKEND": "cqia_site.cache.SteadyCache", "LOCATION": REDIS_URL, "KEY_PREFIX": "cqia:cache"},
}

CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_TIME_LIMIT = env.int("TASK_SECONDS", 1800)
CELERY_TASK_SOFT_TIME_LIMIT = env.int("TASK_SOFT_SECONDS", 1700)
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_ALWAYS_EAGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = env.str("TIME_ZONE", "Asia/Shanghai")
# A message unacknowledged for this long is delivered again: above twice the hard time limit, in all three places.
_VISIBILITY_TIMEOUT = 2 * CELERY_TASK_TIME_LIMIT + 600
CELERY_VISIBILITY_TIMEOUT = _VISIBILITY_TIMEOUT
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": _VISIBILITY_TIMEOUT,
    "socket_connect_timeout": 1,
    "socket_timeout": 10,
    "max_retries": 1,
    "retry_on_timeout": False,
}
CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS = {"visibility_timeout": _VISIBILITY_TIMEOUT}
CELERY_BEAT_SCHEDULER = "cqia_site.beat:OnceScheduler"
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat-schedule")
CELERY_BEAT_SCHEDULE = {
    "sweep-jobs": {"task": "ingest.tasks.sweep", "schedule": timedelta(seconds=15)},
    "tidy-uploads": {"task": "ingest.tasks.tidy", "schedule": timedelta(hours=1), "options": {"expires": 600}},
    "sweep-releases": {"task": "exports.tasks.sweep_releases", "schedule": timedelta(seconds=30)},
    "renew-dashboard": {
        "task": "cqia_site.tasks.renew_dashboard",
        "schedule": timedelta(seconds=25),
        "options": {"expires": 25},
    },
    "tell-webhooks": {"task": "exports.tasks.tell_webhooks", "schedule": timedelta(seconds=20)},
    "index-texts": {
        "task": "review.tasks.index_texts",
        "schedule": timedelta(seconds=10),
        "options": {"expires": 10},
    },
    "find-duplicates": {
        "task": "review.tasks.find_duplicates",
        "schedule": timedelta(seconds=15),
        "options": {"expires": 15},
    },
    "sweep-bulk-actions": {
        "task": "review.tasks.sweep_bulk",
        "schedule": timedelta(seconds=20),
        "options": {"expires": 20},
    },
    "tidy-indexes": {"task": "review.tasks.tidy_indexes", "schedule": timedelta(hours=1), "options": {"expires": 600}},
    "erase-taken-down": {"task": "review.tasks.erase_taken_down", "schedule": timedelta(hours=1)},
    "verify-releases": {"task": "exports.checking.verify_nightly", "schedule": crontab(hour="4", minute="7")},
    "prove": {"task": "review.tasks.prove", "schedule": crontab(hour="3", minute="17")},
    "seal-history": {"task": "review.tasks.seal_history", "schedule": timedelta(seconds=5)},
}

PGHISTORY_CREATED_AT_FUNCTION = "clock_timestamp()"

AUTH_USER_MODEL = "review.User"
AUTHENTICATION_BACKENDS = ["cqia_site.accounts.NameOrAddressBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "account_login"
PASSWORD_RESET_TIMEOUT = 3 * 86400
CSRF_FAILURE_VIEW = "cqia_site.views.csrf_failure"

ACCOUNT_ADAPTER = "cqia_site.accounts.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "review.links.LinkTokens"  # noqa: S105  the name of a class
ACCOUNT_FORMS = {
    "login": "cqia_site.account_forms.SignInForm",
    "reset_password": "cqia_site.account_forms.AskForLinkForm",
}
ACCOUNT_RATE_LIMITS = {
    "login": "30/m/ip",
    "login_failed": "10/m/ip,5/5m/key",
    "reset_password": "10/m/ip,3/10m/key",
    "reset_password_from_key": "20/m/ip",
    "change_password": "5/m/user",
    "reauthenticate": "10/m/user",
}
# Of the addresses that proxies of ours have added to X-Forwarded-For, the one the outermost saw.
ALLAUTH_TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXIES", int(BEHIND_TLS_PROXY))
MFA_ADAPTER = "cqia_site.accounts.SecondFactorAdapter"
MFA_FORMS = {
    "authenticate": "cqia_site.account_forms.SecondStepForm",
    "reauthenticate": "cqia_site.account_forms.ConfirmForm",
}
MFA_TOTP_ISSUER = "CQIA"
MFA_TOTP_TOLERANCE = 1
MFA_ALLOW_UNVERIFIED_EMAIL = True

_MAIL_HOST = env.str("EMAIL_HOST", "")
MAILERS = (
    {
        "default": {
            "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "OPTIONS": {
                "host": _MAIL_HOST,
                "port": env.int("EMAIL_PORT", 25),
                "username": env.str("EMAIL_HOST_USER", ""),
                "password": env.str("EMAIL_HOST_PASSWORD", ""),
                "use_tls": env.bool("EMAIL_USE_TLS", False),
                "use_ssl": env.bool("EMAIL_USE_SSL", False),
                "timeout": 10,
            },
        }
    }
    if _MAIL_HOST
    else {}
)
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "cqia@localhost")
SILENCED_SYSTEM_CHECKS = [
    "mail.W001",  # without mail, links are shown to the manager
    *("security.W005", "security.W021"),  # what other hosts of the domain speak is not for this one to promise
]

KNOX_TOKEN_MODEL = "review.Token"  # noqa: S105  the name of a model
MIGRATION_MODULES = {"knox": None}  # its own table would stand empty beside review.Token, in the way of every flush
REST_KNOX = {
    "TOKEN_TTL": timedelta(days=90),
    "TOKEN_MODEL": KNOX_TOKEN_MODEL,
    "AUTH_HEADER_PREFIX": "Bearer",
}
FILTERS_EMPTY_CHOICE_LABEL = pgettext_lazy("choice", "any")

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["knox.auth.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["cqia_site.parsers.StrictJsonParser", "rest_framework.parsers.MultiPartParser"],
    "DEFAULT_PAGINATION_CLASS": None,
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "CQIA",
    "DESCRIPTION": "Bring candidates in, take verified records out.",
    "VERSION": VERSION,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "persistAuthorization": False, "validatorUrl": None},
}

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", _("Simplified Chinese")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "cqia_site" / "locale"]
FORMAT_MODULE_PATH = "cqia_site.formats"
USE_TZ = True
TIME_ZONE = env.str("TIME_ZONE", "Asia/Shanghai")

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # nothing is collected there: the files are served from where they are
STATICFILES_DIRS = [BASE_DIR / "cqia_site" / "static"]
WHITENOISE_USE_FINDERS = True

UPLOAD_ROOT = DATA_DIR / "uploads"
RELEASE_ROOT = DATA_DIR / "releases"
# Uploads and releases of several machines: the folders above are a cache of it then.
CQIA_STORAGE = env.str("CQIA_STORAGE", storing.FILE)
STORAGE_KEYS = {"access_key": env.str("AWS_ACCESS_KEY_ID", ""), "secret_key": env.str("AWS_SECRET_ACCESS_KEY", "")}
STORAGE_TIDY_SECONDS = env.float("STORAGE_TIDY_SECONDS", 30)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
if storing.is_shared(CQIA_STORAGE):
    STORAGES["shared"] = storing.storage(CQIA_STORAGE, **STORAGE_KEYS)
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024

SECURE_CSP = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF, CSP.NONCE],
    "style-src": [CSP.SELF, CSP.NONCE],
    "img-src": [CSP.SELF, "data:"],
    "font-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "base-uri": [CSP.NONE],
    "frame-ancestors": [CSP.NONE],
}
SECURE_REFERRER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS_PROXY else None
SECURE_SSL_REDIRECT = BEHIND_TLS_PROXY
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 365 * 86400 if BEHIND_TLS_PROXY else 0
SESSION_ENGINE = "cqia_site.sessions"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = BEHIND_TLS_PROXY
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_NAME = "__Host-sessionid" if BEHIND_TLS_PROXY else "sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken" if BEHIND_TLS_PROXY else "csrftoken"
X_FRAME_OPTIONS = "DENY"

CLAIM_LEASE = timedelta(minutes=env.int("CLAIM_LEASE_MINUTES", 10))
# One record in so many is gold where there is any (0: none); so many failures pause a reviewer; so many of their last
# decisions are then looked at by somebody else.
GOLD_EVERY = env.int("GOLD_EVERY", 25)
GOLD_FAILURES = env.int("GOLD_FAILURES", 3)
GOLD_SENDS_BACK = env.int("GOLD_SENDS_BACK", 20)

STREAM_PATIENCE_SECONDS = env.float("STREAM_PATIENCE_SECONDS", 120)
STREAM_SLOWEST_BYTES = env.int("STREAM_SLOWEST_BYTES", 4096)

TAKEDOWN_ERASE_AFTER = timedelta(days=env.int("TAKEDOWN_ERASE_AFTER_DAYS", 30))

INGEST_LEASE = timedelta(seconds=env.float("INGEST_LEASE_SECONDS", 60))
INGEST_RESEND_AFTER = timedelta(seconds=env.float("INGEST_RESEND_SECONDS", 20))
INGEST_CHUNK_RECORDS = env.int("INGEST_CHUNK_RECORDS", 2000)
# A model behind an OpenAI-compatible address that is asked for quality scores, such as https://…/v1; rules without one.
SCORING_URL = env.str("SCORING_URL", "")
SCORING_MODEL = env.str("SCORING_MODEL", "")
SCORING_KEY = env.str("SCORING_KEY", "")
SCORING_PER_MINUTE = env.int("SCORING_PER_MINUTE", 60)
SCORING_TIMEOUT = env.float("SCORING_TIMEOUT", 30)
SCORING_PARALLEL = env.int("SCORING_PARALLEL", 4)
INGEST_PART_BYTES = env.int("INGEST_PART_KIB", 2048) << 10
INGEST_WORKERS_PER_JOB = env.int("INGEST_WORKERS_PER_JOB", 2)
INGEST_QUOTA_BYTES = env.int("INGEST_QUOTA_GIB", 50) << 30
INGEST_FREE_BYTES = env.int("INGEST_FREE_MIB", 512) << 20
INGEST_KEEP_UPLOADS = timedelta(days=env.int("INGEST_KEEP_DAYS", 365))
INGEST_MAX_UPLOAD_BYTES = env.int("INGEST_MAX_UPLOAD_MIB", 2048) << 20

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"()": "cqia_site.logs.Line", "format": "%(asctime)s %(levelname)s %(name)s%(ids)s %(message)s"},
        "json": {"()": "cqia_site.logs.Json"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": env.str("LOG_FORMAT", "line")}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", "WARNING")},
}

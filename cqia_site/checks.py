"""What must be so before the system starts: safe settings, a broker that is understood, a database for Chinese."""

import os
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004  Django's word
from django.db import DatabaseError, connections, transaction
from django.utils.translation import gettext as _

from cqia_site import storing

LOOPBACK = {"127.0.0.1", "localhost", "[::1]", "::1", ".localhost"}
BROKER_SCHEMES = {"redis", "rediss", "unix"}
SECRET_LENGTH = 32
OLDEST_POSTGRESQL = 15
CHINESE = "知识"


@register(Tags.security)
def check_hosts(**_options: Any) -> list[CheckMessage]:
    """Refuse to answer for any host name."""
    if settings.DEBUG or "*" not in settings.ALLOWED_HOSTS:
        return []
    hint = _("Set ALLOWED_HOSTS to the names under which this site is reached, separated by commas.")
    return [Error(_("ALLOWED_HOSTS lets every host name in."), hint=hint, id="cqia.E001")]


@register(Tags.security)
def check_secret(**_options: Any) -> list[CheckMessage]:
    """Refuse a secret that others may know, and one that was never given where others can reach the site."""
    if settings.DEBUG:
        return []
    hint = _("Set SECRET_KEY, or SECRET_KEY_FILE, to a random text of at least 50 characters.")
    if settings.SECRET_KEY.startswith("django-insecure-") or len(settings.SECRET_KEY) < SECRET_LENGTH:
        return [Error(_("SECRET_KEY is a sample or too short."), hint=hint, id="cqia.E002")]
    given = os.environ.get("SECRET_KEY") or os.environ.get("SECRET_KEY_FILE")
    if not given and not LOOPBACK.issuperset(settings.ALLOWED_HOSTS):
        return [Error(_("This site can be reached by others, and SECRET_KEY is not set."), hint=hint, id="cqia.E003")]
    return []


@register(Tags.security)
def check_origins(**_options: Any) -> list[CheckMessage]:
    """Refuse to take forms from any site."""
    if not any(urlsplit(origin).hostname == "*" for origin in settings.CSRF_TRUSTED_ORIGINS):
        return []
    hint = _("Name each site whole, such as https://cqia.example.org.")
    return [Error(_("CSRF_TRUSTED_ORIGINS lets forms of other sites in."), hint=hint, id="cqia.E008")]


@register(Tags.security)
def check_transport(**_options: Any) -> list[CheckMessage]:
    """Warn where passwords would travel in clear."""
    if settings.DEBUG or settings.BEHIND_TLS_PROXY or LOOPBACK.issuperset(settings.ALLOWED_HOSTS):
        return []
    hint = _("Put a proxy with TLS in front and set BEHIND_TLS_PROXY=1.")
    return [Warning(_("Others reach this site without TLS: passwords travel in clear."), hint=hint, id="cqia.W001")]


@register(Tags.security)
def check_storage(**_options: Any) -> list[CheckMessage]:
    """Refuse a storage that is named but not whole, and one whose program is not installed."""
    if not storing.is_shared(settings.CQIA_STORAGE):
        return []
    if wrong := storing.problems(settings.CQIA_STORAGE, **settings.STORAGE_KEYS):
        message = _("CQIA_STORAGE is not whole: %(names)s.") % {"names": ", ".join(wrong)}
        hint = _(
            "Write s3://bucket?endpoint=https://…&region=…, and give both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
            "or neither; “file” keeps everything in the data folder."
        )
        return [Error(message, hint=hint, id="cqia.E009")]
    if find_spec("storages") is None or find_spec("boto3") is None:
        hint = _("Install requirements-s3.lock in the place of requirements.lock.")
        return [Error(_("CQIA_STORAGE needs packages that are not installed."), hint=hint, id="cqia.E010")]
    return []


@register()
def check_broker(**_options: Any) -> list[CheckMessage]:
    """Refuse an address that Celery would not understand."""
    scheme = urlsplit(settings.REDIS_URL).scheme
    if scheme in BROKER_SCHEMES:
        return []
    message = _("REDIS_URL begins with “%(scheme)s://”, which Celery does not know.") % {"scheme": scheme}
    hint = _("Write redis://, rediss:// or unix:// instead; Valkey speaks the same protocol.")
    return [Error(message, hint=hint, id="cqia.E004")]


@register(Tags.database)
def check_database(databases: Sequence[str] | None = None, **_options: Any) -> list[CheckMessage]:
    """Refuse a database that is too old, or in which Chinese has no trigrams, so that searches would find nothing."""
    return [message for alias in databases or () for message in _database_messages(alias)]


def _database_messages(alias: str) -> list[CheckMessage]:
    connection = connections[alias]
    if connection.vendor != "postgresql":
        return [Error(_("CQIA needs PostgreSQL."), hint=_("Set DATABASE_URL to postgres://…"), id="cqia.E005")]
    with transaction.atomic(using=alias), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int / 10000, current_setting('server_encoding')")
        version, encoding = cursor.fetchone()
    if version < OLDEST_POSTGRESQL:
        message = _("PostgreSQL %(version)s is too old.") % {"version": version}
        return [Error(message, hint=_("Use PostgreSQL 15 or newer."), id="cqia.E006")]
    if encoding != "UTF8" or not _has_chinese_trigrams(alias):
        message = _("In this database Chinese text has no trigrams: searches would find nothing.")
        hint = _(
            "Create it anew, from template0, with ENCODING 'UTF8' and LOCALE 'C.UTF-8', on a server that has the "
            "extension pg_trgm (the package postgresql-contrib on some systems)."
        )
        return [Error(message, hint=hint, id="cqia.E007")]
    return []


def _has_chinese_trigrams(alias: str) -> bool:
    """Ask pg_trgm, making the extension for the question alone where it is not there yet."""
    try:
        with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            cursor.execute("SELECT cardinality(show_trgm(%s))", [CHINESE])
            (count,) = cursor.fetchone()
            transaction.set_rollback(True, using=alias)
    except DatabaseError:
        return False
    return bool(count)

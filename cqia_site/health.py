"""For whoever watches the system: `/healthz` says that it lives, `/readyz` that it can do its work."""

from collections.abc import Callable

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError

from cqia_site.celery import app

WORKER_SECONDS = 0.5
AWAY = (BrokerError, RedisError, OSError)
"""How a broker shows that it is away; the second, where a connection that is kept breaks."""


@login_not_required
@require_safe
@never_cache
def alive(_request: HttpRequest) -> HttpResponse:
    """Answer as long as the process does; asks nobody."""
    return HttpResponse("ok\n", content_type="text/plain")


@login_not_required
@require_safe
@never_cache
def ready(_request: HttpRequest) -> JsonResponse:
    """Answer 200 when database, migrations, broker and a worker are there, else 503; say of each which it is."""
    state = {name: check() for name, check in CHECKS.items()}
    return JsonResponse(state, status=200 if all(state.values()) else 503)


def has_database() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def is_migrated() -> bool:
    try:
        executor = MigrationExecutor(connection)
    except DatabaseError:
        return False
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def has_broker() -> bool:
    try:
        with app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, timeout=1)
    except AWAY:
        return False
    return True


def has_worker() -> bool:
    try:
        with app.connection_for_write() as broker:
            return bool(app.control.ping(timeout=WORKER_SECONDS, limit=1, connection=broker))
    except AWAY:
        return False


CHECKS: dict[str, Callable[[], bool]] = {
    "database": has_database,
    "migrations": is_migrated,
    "broker": has_broker,
    "worker": has_worker,
}

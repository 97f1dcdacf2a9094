"""The condition of the whole system: what `doctor` and the dashboard say of it, and what a person is to do."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from threading import Thread
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy, override
from django.utils.translation import gettext as _

from cqia_site import checks, health
from cqia_site.celery import last_run
from cqia_site.middleware import PROXY_MISMATCH
from exports import checking
from ingest.models import Job
from review import depot, duplicates, sealing, search
from review.models.clock import ClockTimestamp

LEAST_FREE_BYTES = 1 << 30
PROBE_BYTES = 1 << 16
LEAST_FREE_SHARE = 0.05
MOST_CLOCK_SECONDS = 2.0
SWEEP_SECONDS = 60.0
STUCK_AFTER = timedelta(minutes=5)
RECENT = timedelta(days=1)
MOST_BEHIND = 200_000
FOUND_KEY, FOUND_SECONDS, FRESH_SECONDS = "cqia:found:", 9.0, 4.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one thing; `advice` says what to do where it is not as it should be."""

    name: str
    is_good: bool
    found: str
    advice: str = ""


type Found = tuple[bool, str, str]
type Check = Callable[[], Found]


def findings() -> Iterator[Finding]:
    """Look at everything. Where the database is away, what needs it is left out: one thing is wrong then, not ten."""
    for name, check in ALWAYS.items():
        yield _finding(name, check)
    is_there = health.has_database()
    message = _("It does not answer. Start it, or mend DATABASE_URL.")
    yield Finding(str(_("database")), is_there, _("answers") if is_there else _("does not answer"), message)
    if is_there:
        for name, check in WITH_DATABASE.items():
            yield _finding(name, check)


def recently_found() -> list[Finding]:
    """Return the findings of a few seconds ago: looking takes a while, most of all where nobody answers.

    Those that are no longer fresh are made anew behind the answer, by one process for all: who looks again and again
    waits once.
    """
    language = get_language()
    key = f"{FOUND_KEY}{language}"
    at, found = cache.get(key) or (0.0, None)
    if found is None:
        found = _look(key, language)
    elif time.time() - at > FRESH_SECONDS and cache.add(f"{key}:looking", value=True, timeout=FOUND_SECONDS):
        Thread(target=_look_behind, args=(key, language), daemon=True).start()
    return [Finding(**finding) for finding in found]


def _look(key: str, language: str | None) -> list[dict[str, Any]]:
    at = time.time()
    with override(language):
        found = [asdict(finding) for finding in findings()]
    cache.set(key, (at, found), FOUND_SECONDS)
    return found


def _look_behind(key: str, language: str | None) -> None:
    try:
        _look(key, language)
    finally:
        connection.close()
        cache.delete(f"{key}:looking")


def _finding(name: Promise, check: Check) -> Finding:
    try:
        return Finding(str(name), *check())
    except (DatabaseError, InterfaceError) as error:
        return Finding(str(name), is_good=False, found=str(error).strip().split("\n", 1)[0])


def _disk() -> Found:
    usage = shutil.disk_usage(settings.DATA_DIR)
    is_good = usage.free >= LEAST_FREE_BYTES and usage.free >= usage.total * LEAST_FREE_SHARE
    words = {"free": f"{usage.free / (1 << 30):,.1f}", "share": usage.free * 100 // usage.total}
    found = _("%(free)s GiB free (%(share)s %%)") % words
    return (
        is_good,
        found,
        _("Make room, or set CQIA_DATA_DIR to a larger disk: imports and releases stop when it is full."),
    )


def _data_folder() -> Found:
    draft = settings.DATA_DIR / ".doctor"
    try:
        draft.write_bytes(bytes(PROBE_BYTES))  # an empty file fits on a full disk
        draft.unlink()
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        return False, str(error), _("Make room on the disk, and let the user that runs CQIA write to the data folder.")
    return True, _("can be written"), ""


def _storage() -> Found:
    if not depot.is_shared():
        return True, _("on this machine alone"), ""
    is_there = depot.answers()
    advice = _("Start the storage, or mend CQIA_STORAGE and its keys. Imports and releases stop while it is away.")
    return is_there, _("answers") if is_there else _("does not answer"), advice


def _broker() -> Found:
    is_there = health.has_broker()
    advice = _("Start Redis or Valkey, or mend REDIS_URL. Jobs wait meanwhile and none is lost.")
    return is_there, _("answers") if is_there else _("does not answer"), advice


def _worker() -> Found:
    is_there = health.has_worker()
    advice = _(
        "Start one: `systemctl start cqia-worker@1` where the units of docs/operating.md are installed, `docker compose"
        " up -d worker` where compose.yaml is used, else `manage.py serve`, which runs it together with the site."
    )
    return is_there, _("answers") if is_there else _("none answers"), advice


def _periodic() -> Found:
    at = last_run("ingest.tasks.sweep")
    seconds = None if at is None else time.time() - at
    found = _("never") if seconds is None else _("%(seconds)s s ago") % {"seconds": f"{max(0.0, seconds):.0f}"}
    advice = _("Run one worker with --beat: without it lost jobs are not found again.")
    return seconds is not None and seconds < SWEEP_SECONDS, found, advice


def _proxy() -> Found:
    path = cache.get(PROXY_MISMATCH)
    if path is None:
        return True, _("fit the settings"), ""
    if settings.BEHIND_TLS_PROXY:
        advice = _("Let the proxy set X-Forwarded-Proto on every request, or set BEHIND_TLS_PROXY=0.")
        return False, _("missing on %(path)s") % {"path": path}, advice
    advice = _("A proxy stands in front: set BEHIND_TLS_PROXY=1 (and TRUSTED_PROXIES), or links and limits are wrong.")
    return False, _("unexpected on %(path)s") % {"path": path}, advice


def _migrations() -> Found:
    is_good = health.is_migrated()
    return is_good, _("all applied") if is_good else _("some are missing"), _("Run `manage.py migrate`.")


def _locale() -> Found:
    for message in checks.check_database(["default"]):
        return False, str(message.msg), str(message.hint)
    return True, _("Chinese can be searched"), ""


def _clock() -> Found:
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
        ((there,),) = cursor.fetchall()
    difference = abs(time.time() - there)
    found = _("%(seconds)s s apart") % {"seconds": f"{difference:.1f}"}
    return (
        difference < MOST_CLOCK_SECONDS,
        found,
        _("Keep the clocks of both machines in step (chrony, systemd-timesyncd)."),
    )


def _jobs() -> Found:
    stuck = list(
        Job.objects.claimable()
        .filter(created_at__lt=ClockTimestamp() - STUCK_AFTER)
        .exclude(heartbeat_at__gt=ClockTimestamp() - STUCK_AFTER)
        .order_by("pk")
        .values_list("pk", flat=True)[:20]
    )
    found = _("none") if not stuck else ", ".join(f"#{pk}" for pk in stuck)
    return not stuck, found, _("Look at these imports: is a worker running, and what does its log say?")


def _failed_jobs() -> Found:
    since = timezone.now() - RECENT
    failed = Job.objects.filter(state__in=[Job.State.FAILED, Job.State.QUARANTINED], finished_at__gt=since)
    numbers = list(failed.order_by("pk").values_list("pk", flat=True)[:20])
    found = _("none") if not numbers else ", ".join(f"#{pk}" for pk in numbers)
    return not numbers, found, _("Each import says on its page why it failed and what to do.")


def _behind(lag: Callable[[], int]) -> Check:
    """Return a check of a pass that works behind the imports and decisions."""

    def check() -> Found:
        number = lag()
        found = _("up to date") if not number else _("%(number)s behind") % {"number": f"{number:,}"}
        return number <= MOST_BEHIND, found, _("Is a worker running? It catches up by itself.")

    return check


def _releases() -> Found:
    names = ", ".join(checking.damaged())
    found = _("not as they were written: %(names)s") % {"names": names} if names else _("as they were written")
    advice = _("Open the release's page, see what differs, and let it be written again.")
    return not names, found, advice


ALWAYS: dict[Promise, Check] = {
    gettext_lazy("disk"): _disk,
    gettext_lazy("data folder"): _data_folder,
    gettext_lazy("storage of files"): _storage,
    gettext_lazy("broker"): _broker,
    gettext_lazy("worker"): _worker,
    gettext_lazy("periodic tasks, last run"): _periodic,
    gettext_lazy("headers of the proxy"): _proxy,
}
WITH_DATABASE: dict[Promise, Check] = {
    gettext_lazy("releases"): _releases,
    gettext_lazy("migrations"): _migrations,
    gettext_lazy("language of the database"): _locale,
    gettext_lazy("clocks of site and database"): _clock,
    gettext_lazy("imports that stand still"): _jobs,
    gettext_lazy("imports that failed today"): _failed_jobs,
    gettext_lazy("history to be sealed"): _behind(sealing.waiting),
    gettext_lazy("records to be indexed for search"): _behind(search.lag),
    gettext_lazy("records to be compared with others"): _behind(duplicates.lag),
}

"""Messages are delivered at least once: every task that is sent to workers may run twice, and twice at once."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.apps import apps
from django.core.management import call_command
from django.db import connection, models
from pytest_django.fixtures import Settings

from cqia_site import tasks
from exports import checking
from exports import tasks as exporting
from ingest import tasks as ingesting
from review import bulk, reflagging, takedowns
from review import tasks as reviewing
from review.models import Record, Role, Source
from review.tracing import Asked
from tests.conftest import person
from tests.exports.conftest import approve_waiting, cut
from tests.factories import record
from tests.ingest.faulty_lines import good_lines
from tests.ingest.importing import imported, submitted

pytestmark = pytest.mark.django_db(transaction=True)

OURS = ("cqia_site", "exports", "ingest", "review")
AT_ONCE = 2
LINES = good_lines(40)


@pytest.fixture(autouse=True)
def folders(settings: Settings, tmp_path: Path) -> None:
    settings.LANGUAGE_CODE = "en"
    settings.UPLOAD_ROOT, settings.RELEASE_ROOT = tmp_path / "uploads", tmp_path / "releases"
    settings.INGEST_CHUNK_RECORDS = 5
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
    settings.TAKEDOWN_ERASE_AFTER = timedelta()


def something_to_do() -> dict[str, tuple[Any, ...]]:
    """Make work for every task; return the tasks in the order in which they run, with what they are sent."""
    lin, gao = person("lin", Role.REVIEWER), person("gao", Role.MANAGER, is_staff=True, email="gao@example.com")
    imported(b"\n".join(LINES[:20]))
    approve_waiting(lin)
    gone = Record.objects.order_by("pk")[3]
    asked = Asked(records=(gone.pk,))
    takedowns.confirm(takedowns.request(by=gao, asked=asked, requester="Li", ground="author"), by=gao)
    release, abandoned = cut("v1"), cut("v2")
    job, lost = submitted(b"\n".join(LINES[20:30])), submitted(b"\n".join(LINES[30:]))
    record()
    action = bulk.start(by=gao, kind="prioritise", records=Record.objects.all(), parameters={"priority": 5})
    unfinished = bulk.start(by=gao, kind="assign", records=Record.objects.all(), parameters={"assignee": lin.pk})
    flags = reflagging.start(Source.objects.get(slug="ruozhiba"), by=gao)
    assert lost.pk
    assert abandoned.pk
    assert unfinished.pk
    return {
        ingesting.run_job.name: (job.pk,),
        ingesting.join_job.name: (lost.pk,),
        ingesting.sweep.name: (),
        ingesting.tidy.name: (),
        exporting.build_parts.name: (release.pk,),
        exporting.build_release.name: (release.pk,),
        checking.verify_later.name: (release.pk,),
        checking.verify_nightly.name: (),
        exporting.sweep_releases.name: (),
        exporting.tell_webhooks.name: (),
        reviewing.run_bulk.name: (action.pk,),
        reviewing.set_flags_anew.name: (flags.pk,),
        reviewing.sweep_bulk.name: (),
        reviewing.index_texts.name: (),
        reviewing.find_duplicates.name: (),
        reviewing.tidy_indexes.name: (),
        reviewing.erase_taken_down.name: (),
        reviewing.mail_link.name: (gao.pk, "http://testserver/"),
        reviewing.mail_links.name: (gao.email, "http://testserver/"),
        reviewing.seal_history.name: (),
        tasks.renew_dashboard.name: (),
    }


def state_of_everything() -> Counter[tuple[str, str]]:
    """Count the rows of every table, by state where there is one."""
    counted: Counter[tuple[str, str]] = Counter()
    for model in apps.get_models(include_auto_created=True):
        if model._meta.app_label not in OURS or not model._meta.managed:
            continue
        states = "state" if any(field.name == "state" for field in model._meta.fields) else None
        rows = model._default_manager.order_by()
        if states is None:
            counted[model._meta.label, ""] = rows.count()
            continue
        for state, number in rows.values_list(states).annotate(number=models.Count("pk")):
            counted[model._meta.label, state] = number
    return counted


def once(task: Any, args: tuple[Any, ...]) -> None:
    task.run(*args)


def twice_at_once_and_again(task: Any, args: tuple[Any, ...]) -> None:
    start = threading.Barrier(AT_ONCE)

    def run() -> None:
        try:
            start.wait()
            task.run(*args)
        finally:
            connection.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(run) for _time in range(AT_ONCE)]:
            done.result()
    task.run(*args)


def after_all_tasks(run: Callable[[Any, tuple[Any, ...]], None]) -> Counter[tuple[str, str]]:
    sent = something_to_do()
    ours = {name for name in current_app.tasks if name.split(".")[0] in OURS}
    nightly = {reviewing.prove.name}
    assert set(sent) | nightly == ours, "a task that is new has work to do here as well"
    for name, args in sent.items():
        run(current_app.tasks[name], args)
    return state_of_everything()


def test_every_task_run_twice_and_at_once_leaves_the_state_of_one_run() -> None:
    alone = after_all_tasks(once)
    assert (alone["review.Record", "approved"], alone["ingest.Job", "done"], alone["exports.Release", "built"]) == (
        20,
        2,
        1,
    )
    call_command("flush", interactive=False, verbosity=0)
    assert after_all_tasks(twice_at_once_and_again) == alone

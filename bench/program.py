"""The same work done by the program, through the doors that its users have."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, sleep
from typing import Any
from uuid import uuid4

from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import connection
from django.db.models import OuterRef, Subquery

from exports import build as builder
from exports import cutting
from exports.models import Policy
from exports.options import Options
from exports.rows import live_lines
from review import claims
from review.decisions import Judgement, SaidOfRights, decide
from review.models import Cause, Claim, Decision, Record, Role, State, User, Verdict
from review.workflow import move

SOURCE = "zhihu"
START_SECONDS = 3.0
"""What a process takes to start, before anything is measured beside it."""


def reviewer(name: str) -> User:
    """Return a reviewer to claim and decide as."""
    user, _created = User.objects.get_or_create(username=name)
    user.groups.set(Group.objects.filter(name=Role.REVIEWER))
    return user


def command(*words: str) -> dict[str, Any]:
    """Run a management command with `--json` and return its object."""
    out = io.StringIO()
    call_command(*words, "--json", stdout=out, stderr=io.StringIO())
    answer: dict[str, Any] = json.loads(out.getvalue().strip().split("\n")[-1])
    return answer


def ingest(path: Path, *, workers: int = 1) -> float:
    """Import the file by the command and return the seconds it took."""
    shared = ("--workers", str(workers))
    started = perf_counter()
    counts = command("ingest", str(path), "--source", SOURCE, "--licence", "CC0-1.0", "--holder", "bench", *shared)
    taken = perf_counter() - started
    assert counts["new"] + counts["duplicate"] == counts["read"], counts
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return taken


def approve_everything(by: User) -> int:
    """Approve all that waits, in sets: the preparation of an export, not a way that the program offers."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO review_decision (record_id, revision_id, seen_revision_id, reviewer_id, role, kind, verdict,"
            " reason, round, attempt, rights_said, seconds, request_id)"
            " SELECT id, revision_id, revision_id, %s, 'reviewer', 'review', 'approve', '', round, 1, 'confirm', 1,"
            " gen_random_uuid() FROM review_record WHERE state = 'waiting'",
            [by.pk],
        )
    waiting = Record.objects.filter(state=State.WAITING)
    verdict = Decision.objects.filter(record=OuterRef("pk"), verdict=Verdict.APPROVE).values("pk")[:1]
    changed = move(waiting, cause=Cause.DECIDE, by=by, state=State.APPROVED, verdict=Subquery(verdict))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return changed


@contextmanager
def sealer() -> Iterator[None]:
    """Have a process of its own seal the history, as often as the worker does, while the block runs."""
    code = "import time; from review.sealing import seal\nwhile True: seal(); time.sleep(1)"
    command = [sys.executable, "-W", "ignore", "manage.py", "shell", "-v", "0", "-c", code]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        sleep(START_SECONDS)
        yield
    finally:
        process.terminate()
        process.wait()


def export(version: str, folder: Path) -> tuple[float, int]:
    """Cut and build a release by the command; return the seconds it took and the number of records."""
    started = perf_counter()
    released = command("export_release", version, "--out", str(folder / version))
    return perf_counter() - started, released["records"]


def build(version: str) -> tuple[float, int]:
    """Cut a release, then write its folder, hashed and synced; return the seconds of the writing, and records."""
    chosen = Policy.objects.get(slug="research")
    release = cutting.cut(version=version, policy=chosen, options=Options(), by=None)
    started = perf_counter()
    builder.build(release.pk)
    return perf_counter() - started, release.records


def stream() -> tuple[float, float, int]:
    """Read the live stream of records; return the seconds to its first piece, to its end, and its lines."""
    licences = Policy.objects.get(slug="research").licences
    started = perf_counter()
    first, lines = 0.0, 0
    for piece in live_lines(Record.objects.releasable(licences)):
        first = first or perf_counter() - started
        lines += piece.count(b"\n")
    return first, perf_counter() - started, lines


def claim(by: User) -> Claim:
    """Claim the next record, as the queue does."""
    claimed = claims.claim_next(by=by)
    assert claimed is not None
    return claimed


def approve(claimed: Claim) -> None:
    """Approve the record as it stands, as the person who holds it does before the next claim."""
    seen, rights = claimed.record.revision_id, SaidOfRights(Decision.RightsSaid.CONFIRM)
    decide(
        by=claimed.reviewer,
        record=claimed.record_id,
        judgement=Judgement(Verdict.APPROVE, seen, uuid4(), rights=rights),
    )

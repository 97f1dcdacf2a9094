"""A release of very many records, cut and built while others edit: `make million`.

A million records unless RELEASED_RECORDS says otherwise; the figures are printed with `-s`.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from pytest_django.fixtures import Settings

from bench import program
from bench.records import lines
from exports import cutting, storage
from exports.models import Artifact, Policy, Release
from exports.options import Options
from exports.tokens import create_token
from review import sending_back
from review.models import Record, Role, Scope, State, User
from review.refused import Refused
from tests.conftest import person
from tests.factories import approve
from tests.faults.processes import database_url, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(4 * 3600), pytest.mark.django_db(transaction=True)]

RECORDS = int(os.environ.get("RELEASED_RECORDS", "1000000"))
WRITERS = 20
MOST_MIB = 150
STATE = """
    SELECT sha256(string_agg(convert_to(concat_ws(' ', id, revision_id, verdict_id) || E'\\n', 'UTF8'), ''::bytea
        ORDER BY id)) FROM review_record
    WHERE state = 'approved' AND takedown_id IS NULL AND retraction_id IS NULL
"""
FROZEN = """
    SELECT sha256(string_agg(convert_to(concat_ws(' ', record_id, revision_id, verdict_id) || E'\\n', 'UTF8'), ''::bytea
        ORDER BY record_id)) FROM exports_releaserow WHERE release_id = %s
"""


@pytest.fixture
def data(settings: Settings, tmp_path: Path) -> Path:
    settings.UPLOAD_ROOT, settings.RELEASE_ROOT = tmp_path / "uploads", tmp_path / "releases"
    return tmp_path


@contextmanager
def writing(gao: User) -> Iterator[list[int]]:
    """Let twenty people send records back and approve them anew, in another wording, for as long as the block runs."""
    made, ended = [0] * WRITERS, threading.Event()

    def edit(number: int) -> None:
        dice, by = random.Random(number), User.objects.get(username=f"writer-{number}")
        highest = Record.objects.order_by("-pk").values_list("pk", flat=True)[0]
        while not ended.is_set():
            given = Record.objects.filter(pk__gte=dice.randrange(highest), state=State.APPROVED).order_by("pk").first()
            if given is None:
                continue
            with suppress(Refused):
                sending_back.send_back(by=gao, records=[given.pk], reason="再看一次")
                approve(given, by, output=f"第{number}人改的，{dice.random()}。")
                made[number] += 1
            time.sleep(0.05)
        connection.close()

    people = [threading.Thread(target=edit, args=[number]) for number in range(WRITERS)]
    for each in people:
        each.start()
    try:
        yield made
    finally:
        ended.set()
        for each in people:
            each.join()


def asked(sql: str, *values: Any) -> bytes:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return bytes(cursor.fetchone()[0])


def cut_as_it_stands(version: str) -> Release:
    """Cut in a snapshot in which the state is known, while others commit; what is frozen is that state."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        state = asked(STATE)
        time.sleep(1)
        policy = Policy.objects.get(slug="research")
        release = cutting.cut(version=version, policy=policy, options=Options(formats=("cqia", "alpaca")), by=None)
    assert asked(FROZEN, release.pk) == state
    assert asked(STATE) != state
    return release


def command(version: str, out: Path, data: Path) -> subprocess.Popen[bytes]:
    words = ["export_release", version, "--out", str(out), "--format", "cqia,alpaca"]
    environment = os.environ | {"DATABASE_URL": database_url(), "CQIA_DATA_DIR": str(data)}
    return subprocess.Popen([sys.executable, "-W", "ignore", "manage.py", *words], env=environment)


def ended(process: subprocess.Popen[bytes]) -> tuple[int, float]:
    """Return how a process ended, and the most memory that it held, in MiB.

    Read from the process itself: what `wait4` tells begins with the memory of the process that started it.
    """
    most = 0
    while process.poll() is None:
        with suppress(OSError, StopIteration):
            status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            most = int(next(line for line in status if line.startswith("VmHWM")).split()[1])
        time.sleep(0.02)
    return process.returncode, most / 1024


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def downloaded(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    digest = sha256()
    for block in answer.streaming_content if answer.streaming else [answer.content]:
        digest.update(block)
    return digest.hexdigest()


def say(text: str) -> None:
    sys.stdout.write(f"\n{text}")
    sys.stdout.flush()


def test_cut_and_built_while_twenty_people_edit(gao: User, tao: User, data: Path) -> None:
    path = data / "many.jsonl"
    with path.open("wb") as file:
        file.writelines(lines(RECORDS))
    say(f"{RECORDS:,} records: imported in {program.ingest(path):,.0f} s")
    path.unlink()
    program.approve_everything(program.reviewer("mei"))
    for number in range(WRITERS):
        person(f"writer-{number}", Role.REVIEWER)
    with writing(gao) as made:
        until(lambda: sum(made) > 5)
        began = time.monotonic()
        release = cut_as_it_stands("v1")
        say(f"cut in {time.monotonic() - began:,.1f} s")
        killed = command("v1", data / "copy", data)
        until(lambda: any((data / "releases").glob(".building-*/.part-*/data/*")))
        time.sleep(RECORDS / 400_000)
        killed.send_signal(signal.SIGKILL)
        assert killed.wait() == -signal.SIGKILL
        assert not (data / "copy").exists()
        assert not (data / "releases" / "v1").exists()
        before, began = sum(made), time.monotonic()
        code, memory = ended(command("v1", data / "copy", data))
        say(f"command in {time.monotonic() - began:,.0f} s, {memory:,.0f} MiB, {sum(made) - before:,} edits meanwhile")
        assert (code, sum(made) > before) == (0, True)
        assert memory <= MOST_MIB
    release.refresh_from_db()
    written = dict(Artifact.objects.filter(release=release).values_list("path", "sha256"))
    assert hashes(data / "copy") == written
    assert hashes(storage.folder_of(release)) == written
    _token, secret = create_token(user=tao, scopes=[Scope.EXPORT_READ])
    reader, browser = Client(headers={"authorization": f"Bearer {secret}"}), Client()
    browser.force_login(gao)
    for name, digest in written.items():
        assert downloaded(reader, f"/api/v1/releases/v1/files/{name}") == digest
        assert downloaded(browser, f"/exports/v1/files/{name}") == digest
    shutil.rmtree(storage.folder_of(release))
    shutil.rmtree(data / "copy")
    code, memory = ended(command("v1", data / "again", data))
    say(f"second build: {memory:,.0f} MiB")
    assert (code, hashes(data / "again")) == (0, written)

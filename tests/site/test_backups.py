"""F34 and the drill of an operator: back up, lose everything, restore, verify."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from cqia_site import backups
from cqia_site.embedded import program
from exports import releases
from exports.models import Release
from ingest import jobs, pipeline
from review.models import Decision, Move, Record, User
from tests.factories import add_records, approve, candidate
from tests.faults.processes import database_url

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.core]


@pytest.fixture(autouse=True)
def own_folders(settings: Settings, tmp_path: Path) -> None:
    settings.UPLOAD_ROOT, settings.RELEASE_ROOT = tmp_path / "uploads", tmp_path / "releases"


def command(*words: str) -> dict[str, Any]:
    out = StringIO()
    call_command(*words, "--json", stdout=out, stderr=StringIO())
    answer: dict[str, Any] = json.loads(out.getvalue().strip().split("\n")[-1])
    return answer


def fill(by: User, tmp_path: Path) -> None:
    """Records by the factory and by a job, decisions, a release with its files."""
    add_records("ruozhiba", [candidate() for _ in range(5)], licence="CC0-1.0")
    for record in Record.objects.all():
        approve(record, by)
    path = tmp_path / "一.jsonl"
    path.write_text('{"instruction": "问\\t\\\\N", "output": "答\\n二行"}\nnot json\n', encoding="utf-8")
    with path.open("rb") as stream:
        job = jobs.submit(source=Record.objects.earliest("pk").source, files=[(path.name, stream)], by=None)
    pipeline.run(job.pk)
    command("export_release", "v1", "--out", str(tmp_path / "out"))


def lose_everything(settings: Settings, tmp_path: Path) -> None:
    call_command("flush", interactive=False, verbosity=0)
    settings.UPLOAD_ROOT, settings.RELEASE_ROOT = tmp_path / "uploads-2", tmp_path / "releases-2"


def counts() -> dict[str, int]:
    found = {}
    with connection.cursor() as cursor:
        for table in backups._tables():
            cursor.execute(f"SELECT count(*) FROM {table.name}")
            ((found[table.name],),) = cursor.fetchall()
    return found


def test_f34_a_backup_restored_into_an_empty_system_is_equal(lin: User, tmp_path: Path, settings: Settings) -> None:
    fill(lin, tmp_path)
    before = counts()
    archive = tmp_path / "cqia.tar"
    written = command("backup", str(archive))
    assert written["rows"] == sum(before.values())
    assert archive.stat().st_mode & 0o077 == 0
    lose_everything(settings, tmp_path)
    assert not Record.objects.exists()
    assert command("restore", str(archive))["rows"] == written["rows"]
    assert counts() == before
    assert command("verify_release", "--all") == {"ok": True, "records": 5, "problems": []}
    assert releases.verify(Release.objects.get()).problems == []
    assert command("backup", str(tmp_path / "again.tar"))["rows"] == written["rows"]
    first, second = (tables_of(tmp_path / name) for name in ("cqia.tar", "again.tar"))
    assert first == second


WHOLE = """
import json, sys, django
django.setup()
from django.core.management import call_command
from django.test import Client
from cqia_site import health
from tests.site.test_backups import counts
call_command("migrate", "--check", verbosity=0)
page = Client(headers={"host": "localhost"}).get("/account/login/")
print(json.dumps({"counts": counts(), "page": page.status_code, "migrated": health.is_migrated()}))
call_command("verify_release", "--all", "--json")
"""


def of_the_server(name: str) -> Path:
    """The program that came with the server: what a newer `pg_dump` writes, an older server may not understand."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT setting FROM pg_config WHERE name = 'BINDIR'")
        ((folder,),) = cursor.fetchall()
    own = Path(folder, name)
    return own if own.exists() else program(name)


def test_f34_a_dump_restored_into_an_empty_server_is_equal(lin: User, tmp_path: Path) -> None:
    fill(lin, tmp_path)
    other = f"{connection.settings_dict['NAME']}_dumped"
    dumped = subprocess.run(
        [of_the_server("pg_dump"), "--format", "custom", "--dbname", database_url()], check=True, capture_output=True
    ).stdout
    with connection.cursor() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{other}"')
        cursor.execute(f"CREATE DATABASE \"{other}\" TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'")
    try:
        restore = [of_the_server("pg_restore"), "--exit-on-error", "--no-owner", "--dbname", database_url(other)]
        subprocess.run(restore, input=dumped, check=True, capture_output=True)
        (tmp_path / "copy").mkdir()
        for folder in ("uploads", "releases"):
            shutil.copytree(tmp_path / folder, tmp_path / "copy" / folder)  # with the times of the files
        environment = os.environ | {"DATABASE_URL": database_url(other), "CQIA_DATA_DIR": str(tmp_path / "copy")}
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", WHOLE], env=environment, capture_output=True, text=True, check=True
        )
        booted, verified = (json.loads(line) for line in done.stdout.strip().split("\n")[-2:])
        assert booted == {"counts": counts(), "page": 200, "migrated": True}
        assert verified == {"ok": True, "records": 5, "problems": []}
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{other}" WITH (FORCE)')


def tables_of(archive: Path) -> dict[str, str]:
    with tarfile.open(archive) as tar:
        return {table.name: table.sha256 for table in backups._about(tar).tables}


def test_work_goes_on_after_a_restore(lin: User, mei: User, tmp_path: Path, settings: Settings) -> None:
    fill(lin, tmp_path)
    command("backup", str(tmp_path / "cqia.tar"))
    lose_everything(settings, tmp_path)
    command("restore", str(tmp_path / "cqia.tar"))
    waiting = Record.objects.get(state="waiting")
    moves = Move.objects.count()
    approve(waiting, mei, major=("问答",), domain=("百科",), answer_from="human")
    assert Move.objects.count() == moves + 1
    with pytest.raises(Exception, match="append-only"):
        Decision.objects.update(reason="x")


def test_a_restore_refuses_a_system_that_holds_something(lin: User, tmp_path: Path) -> None:
    add_records("ruozhiba", [candidate()])
    command("backup", str(tmp_path / "cqia.tar"))
    with pytest.raises(CommandError, match=r"already|已有"):
        command("restore", str(tmp_path / "cqia.tar"))
    assert Record.objects.count() == 1


@pytest.mark.parametrize("damage", ["cut", "changed", "other"])
def test_a_damaged_backup_changes_nothing(lin: User, tmp_path: Path, settings: Settings, damage: str) -> None:
    fill(lin, tmp_path)
    archive = tmp_path / "cqia.tar"
    command("backup", str(archive))
    data = bytearray(archive.read_bytes())
    if damage == "changed":
        with tarfile.open(archive) as tar:
            member = tar.getmember("tables/review_revision.copy.zst")
            data[member.offset_data + member.size // 2] ^= 0xFF
    archive.write_bytes(data[: len(data) // 2] if damage == "cut" else data if damage == "changed" else b"no archive")
    lose_everything(settings, tmp_path)
    with pytest.raises(CommandError, match=r"backup|备份"):
        command("restore", str(archive))
    assert not Record.objects.exists()


def test_a_backup_overwrites_nothing(lin: User, tmp_path: Path) -> None:
    place = tmp_path / "cqia.tar"
    place.write_bytes(b"dear")
    with pytest.raises(CommandError, match=r"exists|已存在"):
        command("backup", str(place))
    assert place.read_bytes() == b"dear"

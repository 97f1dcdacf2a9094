"""The life of a text that somebody wants back: taken down, refused, erased, and found nowhere, byte for byte."""

import gzip
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.utils import translation
from pytest_django.fixtures import Settings

from cqia_site.embedded import program
from exports import build, feed
from exports.models import Policy, Release
from review import erasure, sealing, takedowns
from review.models import Record, Revision, Takedown, User
from review.refused import Refused
from review.tracing import Asked
from tests.exports.conftest import approve_waiting, built, client_of, cut
from tests.factories import approve
from tests.faults.processes import database_url
from tests.ingest.importing import counts, imported, submitted

pytestmark = [pytest.mark.django_db(transaction=True)]

SECRET = "渡口的老人把\n最后一盏灯“留给”了雾，这句话只在这里。"
LINES = [
    {"instruction": f"请续写第{number}则短文。", "input": "", "output": f"一段平常的话，第{number}则。"}
    for number in range(1, 8)
]
TAKEN = {"instruction": "请写一段渡口的夜。", "input": "", "output": SECRET}


def as_lines(*records: dict[str, str], ascii_only: bool = False) -> bytes:
    return b"".join(json.dumps(record, ensure_ascii=ascii_only).encode() + b"\n" for record in records)


WHOLE = as_lines(*LINES[:4], TAKEN, *LINES[4:]) + as_lines(TAKEN | {"output": 7}) + as_lines(TAKEN, ascii_only=True)
REFUSED = b'{"instruction": "\xe8\xaf\xb7", "output": ' + json.dumps(SECRET, ensure_ascii=False).encode() + b", }\n"
NEEDLES = [
    SECRET.encode(),
    json.dumps(SECRET, ensure_ascii=False)[1:-1].encode(),
    json.dumps(SECRET)[1:-1].encode(),
    SECRET.replace("\n", r"\n").encode(),
    SECRET.split("\n")[1].encode(),
    SECRET.encode().hex().encode(),
]


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with translation.override("en"):
        yield


@pytest.fixture(autouse=True)
def data(settings: Settings, tmp_path: Path) -> Path:
    settings.UPLOAD_ROOT, settings.RELEASE_ROOT = tmp_path / "uploads", tmp_path / "releases"
    return tmp_path


def holding(folder: Path) -> list[str]:
    """Name the files that hold the text in any writing, packed ones unpacked."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            content += gzip.decompress(content) if content.startswith(b"\x1f\x8b") else b""
            if any(needle in content for needle in NEEDLES):
                found.append(path.relative_to(folder).as_posix())
    return found


def dump() -> bytes:
    address = database_url()
    return subprocess.run([program("pg_dump"), "--dbname", address], check=True, capture_output=True).stdout


def test_from_the_import_to_the_erasure(lin: User, gao: User, tao: User, client: Client, data: Path) -> None:
    imported(WHOLE + REFUSED)
    imported(WHOLE)  # all unchanged, and a file all the same
    packed = data / "uploads" / "kept.gz"
    packed.write_bytes(gzip.compress(WHOLE))
    given = Record.objects.get(revision__output=SECRET)
    approve(given, lin, major=("文本生成",), domain=("文学",), answer_from="human", reason=f"好句：{SECRET}")
    approve_waiting(lin)
    before = built("v1", "internal")
    assert any(name.startswith("releases/v1-internal/data/") for name in holding(data))
    assert sum(name.startswith("uploads/") for name in holding(data)) >= 3
    sealing.seal()

    takedown = takedowns.request(by=gao, requester="渡口", ground="著作权", asked=Asked(passages=(SECRET,)))
    assert takedowns.confirm(takedown, by=gao) == 1
    # Gone from every page, stream and new release; the old one is suspended.
    client.force_login(gao)
    pages = ["/", "/review/", "/review/sources/", "/review/sources/ruozhiba/", f"/exports/{before.version}/"]
    assert not any(needle in client.get(page).content for page in pages for needle in NEEDLES)
    insider = client_of(tao, "export:read", "export:internal")
    stream = b"".join(insider.get("/api/v1/export/records.jsonl?policy=internal"))
    assert b"\n" in stream
    assert not any(needle in stream for needle in NEEDLES)
    refused = insider.get("/api/v1/releases/v1/files/data/ruozhiba.jsonl")
    assert (refused.status_code, refused.json()["takedowns"]) == (451, [takedown.pk])
    time.sleep(1)  # releases are told apart by the second
    after = built("v2", "internal")
    assert after.records == before.records - 1
    assert insider.get("/api/v1/releases/v1/files/data/ruozhiba.jsonl").json()["next"] == "v2"
    assert counts(imported(WHOLE)) == {"read": 10, "unchanged": 7, "dropped": 2, "rejected": 1}

    assert erasure.erase(takedown, by=gao) == 1
    assert holding(data) == []
    dumped = dump()
    assert b"COPY public.review_revision" in dumped
    assert not any(needle in dumped for needle in NEEDLES)
    with pytest.raises(Refused, match=f"下架 {takedown.pk}"):
        build.build(Release.objects.get(version="v1").pk)
    assert counts(imported(WHOLE)) == {"read": 10, "unchanged": 7, "dropped": 2, "rejected": 1}
    sealing.seal()
    assert list(sealing.verify()) == []
    assert takedowns.receipt(Takedown.objects.get())["records"] == 1


def test_a_job_that_still_reads_the_text_is_waited_for(gao: User, data: Path) -> None:
    imported(as_lines(TAKEN))
    submitted(as_lines(TAKEN))
    given = Record.objects.get()
    takedown = takedowns.request(by=gao, requester="渡口", ground="著作权", asked=Asked(records=(given.pk,)))
    takedowns.confirm(takedown, by=gao)
    with pytest.raises(Refused, match="still reads"):
        erasure.erase(takedown, by=gao)
    assert Revision.objects.get().output == SECRET


def audit(address: str) -> dict[str, object]:
    environment = os.environ | {"DATABASE_URL": address}
    command = [sys.executable, "-W", "ignore", "manage.py", "audit_verify", "--json"]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    said: dict[str, object] = json.loads(answer.stdout.splitlines()[-1])
    return said


FOLLOWED = """
import json
from exports import feed
from exports.models import Policy
def told(cursor):
    parts = feed.lines(feed.Cursor.read(cursor), feed.last(), Policy.objects.get(slug="internal"))
    events = [json.loads(line) for part in parts for line in part.splitlines()]
    return [(event["cursor"], event["id"], event["change"]) for event in events]
print(json.dumps([told("{cursor}"), told("0")]))
"""


def test_dumped_and_restored_the_chain_holds_and_goes_on(lin: User) -> None:
    imported(WHOLE)
    approve_waiting(lin)
    sealing.seal()
    internal = Policy.objects.get(slug="internal")
    told = [json.loads(line) for part in feed.lines(feed.Cursor(), feed.last(), internal) for line in part.splitlines()]
    kept = told[: len(told) // 2]
    cut("v1", "internal")
    taken = takedowns.request(by=None, requester="我", ground="无", asked=Asked(records=(kept[0]["id"],)))
    takedowns.confirm(taken, by=None)
    last = sealing.anchor()
    assert sealing.waiting() > 0
    dumped = dump()
    other = f"{connection.settings_dict['NAME']}_restored"
    with connection.cursor() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{other}"')
        cursor.execute(f"CREATE DATABASE \"{other}\" TEMPLATE template0 ENCODING 'UTF8'")
    try:
        address = database_url(other)
        restore = [program("psql"), "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", address]
        subprocess.run(restore, input=dumped, check=True, capture_output=True)
        assert audit(address) == {
            "ok": True,
            "sealed": last["seal"],
            "waiting": sealing.waiting(),
            "last": last,
            "problems": [],
        }
        sealed = "from review.sealing import seal; print(seal())"
        command = [sys.executable, "-W", "ignore", "manage.py", "shell", "-v", "0", "-c", sealed]
        environment = os.environ | {"DATABASE_URL": address}
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        assert int(done.stdout.split()[-1]) == sealing.waiting()
        assert audit(address)["ok"] is True
        read = subprocess.run(
            [*command[:-1], FOLLOWED.format(cursor=kept[-1]["cursor"])],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
        rest, whole = json.loads(read.stdout.splitlines()[-1])
        assert [*([event["cursor"], event["id"], event["change"]] for event in kept), *rest] == whole
        assert [event[1:] for event in whole][-1] == [kept[0]["id"], "removed"]
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f'DROP DATABASE "{other}" WITH (FORCE)')


HALF_WAY = """
import os, signal
from review import sealing
written = []
link = sealing._link
def dying(*said):
    written.append(said)
    if len(written) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return link(*said)
sealing._link = dying
sealing.seal()
"""


def test_a_sealer_that_is_killed_half_way_leaves_nothing_behind(lin: User) -> None:
    imported(WHOLE)
    approve_waiting(lin)
    waiting = sealing.waiting()
    command = [sys.executable, "-W", "ignore", "manage.py", "shell", "-v", "0", "-c", HALF_WAY]
    environment = os.environ | {"DATABASE_URL": database_url()}
    killed = subprocess.run(command, env=environment, check=False, capture_output=True)
    assert killed.returncode == -9
    assert (sealing.waiting(), sealing.anchor()["seal"]) == (waiting, 0)
    assert sealing.seal() == waiting
    assert list(sealing.verify()) == []

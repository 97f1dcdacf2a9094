"""Files in S3-compatible storage: several machines with disks of their own, one at a time in this process."""

import os
import tarfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings

from cqia_site import checks, condition
from exports import releases, storage
from ingest import jobs, keeping, pipeline, staging
from ingest.models import Job
from review import depot, erasure, takedowns
from review.models import Record, Source, User
from review.tracing import Asked
from tests.exports.conftest import approve_waiting, built
from tests.site.test_backups import command, counts
from tests.storage_server import client, made_bucket, s3, use

__all__ = ["s3"]
pytestmark = [pytest.mark.django_db(transaction=True)]

SECRET = "渡口的灯一直亮到天明，没有人来。"
LINES = (
    '{"instruction": "渡口的灯亮到几时？", "output": "' + SECRET + '"}\n'
    '{"instruction": "风从哪里来？", "output": "从海上来，到山里去。"}\nnot json\n'
).encode()

type Machine = Callable[[str], None]


@pytest.fixture
def machine(s3: str, settings: Settings, tmp_path: Path) -> Machine:
    """Give a function that makes this process one of several machines, each with a disk of its own."""
    use(settings, made_bucket(s3))

    def become(name: str) -> None:
        settings.UPLOAD_ROOT, settings.RELEASE_ROOT = tmp_path / name / "uploads", tmp_path / name / "releases"

    become("a")
    return become


@pytest.fixture
def disks(tmp_path: Path) -> Callable[[], dict[str, set[str]]]:
    """Give a function that names the files on each disk."""

    def found() -> dict[str, set[str]]:
        return {
            disk.name: {path.relative_to(disk).as_posix() for path in disk.rglob("*") if path.is_file()}
            for disk in tmp_path.iterdir()
        }

    return found


@pytest.fixture(autouse=True)
def just_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test make a file of this very moment, which may be one that is just coming, one of a while ago."""
    monkeypatch.setattr(depot, "JUST_NOW_SECONDS", depot.JUST_NOW_SECONDS)


def submitted(content: bytes = LINES) -> Job:
    source = Source.objects.get(slug="ruozhiba")
    return jobs.submit(source=source, files=[("一.jsonl", BytesIO(content))], by=None, tell_workers=False)


def objects(s3: str, settings: Settings) -> list[str]:
    listed = client(s3).list_objects_v2(Bucket=urlsplit(settings.CQIA_STORAGE).netloc)
    return sorted(entry["Key"] for entry in listed.get("Contents", ()))


def test_what_one_machine_takes_in_another_reads_and_a_third_gives_back(
    machine: Machine, gao: User, ruozhiba: Source
) -> None:
    job = submitted()
    machine("b")
    assert not job.uploads.get().path.exists()
    assert pipeline.run(job.pk) == pipeline.Outcome.ENDED
    assert job.uploads.get().path.read_bytes() == LINES
    assert job.uploads.get().path.stat().st_mode & 0o777 == depot.CACHED_MODE
    written = job.rejects_path.read_bytes()
    machine("c")
    page = Client()
    page.force_login(gao)
    answer = page.get(f"/ingest/jobs/{job.pk}/rejects/")
    assert b"".join(answer) == written
    assert b"not json" in written


def test_a_file_that_is_not_what_was_sent_is_not_read(machine: Machine, s3: str, settings: Settings) -> None:
    job = submitted()
    (name,) = objects(s3, settings)
    client(s3).put_object(Bucket=urlsplit(settings.CQIA_STORAGE).netloc, Key=name, Body=LINES.replace(b"not", b"yes"))
    machine("b")
    pipeline.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error_code) == (Job.State.FAILED, "disk")
    assert not list(job.uploads.get().path.parent.iterdir())
    assert not Record.objects.exists()


def test_files_that_are_no_job_yet_are_seen_from_every_machine(machine: Machine, gao: User, ruozhiba: Source) -> None:
    page = Client()
    page.force_login(gao)
    key = page.post("/ingest/new/", {"uploads": [BytesIO(LINES)], "source": "ruozhiba"})["Location"]
    machine("b")
    assert SECRET in page.get(key).content.decode()
    machine("c")
    first = page.post(f"{key}submit/", {"source": "ruozhiba"})["Location"]
    machine("b")
    assert page.get(key)["Location"] == page.post(f"{key}submit/", {"source": "ruozhiba"})["Location"] == first
    assert [kept.path.name for kept in depot.listing(keeping.staged_root())] == [staging.ABOUT]


def test_a_release_is_the_same_from_every_machine_and_every_change_is_named(
    machine: Machine, lin: User, tao: User, s3: str, settings: Settings
) -> None:
    pipeline.run(submitted().pk)
    approve_waiting(lin)
    machine("b")
    release = built("v1", "internal")
    artifact = release.artifacts.get(path="data/ruozhiba.jsonl")
    here = storage.checked(release, artifact).read_bytes()
    machine("c")
    assert storage.checked(release, artifact).read_bytes() == here
    assert command("verify_release", "--all") == {"ok": True, "records": 2, "problems": []}
    copy = storage.folder_of(release) / artifact.path
    copy.unlink()
    copy.write_bytes(here[:-2] + b"\n\n")
    assert storage.checked(release, artifact).read_bytes() == here
    name = next(name for name in objects(s3, settings) if name.endswith(artifact.path))
    bucket = urlsplit(settings.CQIA_STORAGE).netloc
    client(s3).put_object(Bucket=bucket, Key=name, Body=here[:-2] + b"\n\n")
    assert any("sha256" in problem for problem in releases.verify(release).problems)
    client(s3).delete_object(Bucket=bucket, Key=name)
    assert any(artifact.path in problem for problem in releases.verify(release).problems)
    with pytest.raises(storage.Damaged):
        storage.checked(release, artifact)


def test_an_erasure_reaches_the_storage_and_every_disk(
    machine: Machine, lin: User, gao: User, tmp_path: Path, s3: str, settings: Settings
) -> None:
    first = submitted()
    machine("b")
    pipeline.run(first.pk)
    approve_waiting(lin)
    release = built("v1", "internal")
    for name in "ac":
        machine(name)
        storage.fetched(release)
        depot.here(first.uploads.get().path)
    taken = Record.objects.get(revision__output=SECRET)
    takedown = takedowns.request(by=gao, requester="渡口", ground="著作权", asked=Asked(records=(taken.pk,)))
    takedowns.confirm(takedown, by=gao)
    erasure.erase(takedown, by=gao)
    bucket = urlsplit(settings.CQIA_STORAGE).netloc
    for name in objects(s3, settings):
        assert SECRET.encode() not in client(s3).get_object(Bucket=bucket, Key=name)["Body"].read()
    machine("b")
    assert depot.here(first.uploads.get().path).read_bytes().count(b"\n") == 3  # blank, and where it was
    depot.JUST_NOW_SECONDS = -1.0
    for name in "abc":
        machine(name)
        depot.tidy()
    left = [path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert left == []
    again = submitted(LINES.replace(SECRET.encode(), b"x" * 9))
    assert pipeline.run(again.pk) == pipeline.Outcome.ENDED


def test_retention_and_the_quota_count_what_is_kept_for_all(
    machine: Machine, settings: Settings, disks: Callable[[], dict[str, set[str]]], s3: str
) -> None:
    job = submitted()
    machine("b")
    assert keeping.used() == len(LINES)
    depot.here(job.uploads.get().path)
    depot.remove(job.uploads.get().path)
    assert objects(s3, settings) == []
    assert disks()["b"] == set()
    machine("a")
    assert len(disks()["a"]) == 1
    depot.JUST_NOW_SECONDS = -1.0
    assert depot.tidy() == 1
    assert disks()["a"] == set()


def test_backed_up_wiped_and_restored_into_another_bucket_all_is_equal(
    machine: Machine, lin: User, tmp_path: Path, s3: str, settings: Settings
) -> None:
    pipeline.run(submitted().pk)
    approve_waiting(lin)
    built("v1", "internal")
    before, kept = counts(), objects(s3, settings)
    machine("b")  # the one that makes the backup has nothing on its disk
    archive = tmp_path / "cqia.tar"
    command("backup", str(archive))
    call_command("flush", interactive=False, verbosity=0)
    use(settings, made_bucket(s3))
    machine("d")
    command("restore", str(archive))
    assert counts() == before
    assert objects(s3, settings) == kept
    machine("e")
    assert command("verify_release", "--all") == {"ok": True, "records": 2, "problems": []}
    with tarfile.open(archive) as tar:
        assert {member.name for member in tar if member.name.startswith("releases/")} == {
            name.removeprefix("kept/") for name in kept if "/releases/" in name
        }
    # And on one machine without such storage, from the same archive.
    call_command("flush", interactive=False, verbosity=0)
    settings.STORAGES = {name: held for name, held in settings.STORAGES.items() if name != "shared"}
    machine("f")
    command("restore", str(archive))
    assert command("verify_release", "--all") == {"ok": True, "records": 2, "problems": []}


def test_while_the_storage_is_away_it_is_said_and_no_job_is_lost(
    machine: Machine, settings: Settings, gao: User, ruozhiba: Source
) -> None:
    job = submitted()
    whole = settings.CQIA_STORAGE
    use(settings, whole.partition("?")[0] + "?endpoint=http://127.0.0.1:9&region=us-east-1")
    machine("b")
    with pytest.raises(depot.Away):
        pipeline.run(job.pk)
    job.refresh_from_db()
    assert job.state == Job.State.QUEUED
    findings = {finding.name: finding for finding in condition.findings()}
    assert not any(f.is_good for name, f in findings.items() if "storage" in name or "存储" in name)
    page = Client(raise_request_exception=False)
    page.force_login(gao)
    answer = page.post("/ingest/new/", {"uploads": [BytesIO(LINES)], "source": "ruozhiba"})
    assert answer.status_code == 409
    assert Job.objects.count() == 1
    answer = page.get(f"/ingest/jobs/{job.pk}/rejects/")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    use(settings, whole)
    assert pipeline.run(job.pk) == pipeline.Outcome.ENDED


@pytest.mark.parametrize(
    ("given", "keys", "wrong"),
    [
        ("ftp://bucket", ("", ""), "s3://"),
        ("s3://", ("", ""), "bucket"),
        ("s3://bucket?endpoint=storage:9000", ("", ""), "endpoint"),
        ("s3://bucket?colour=red", ("", ""), "colour"),
        ("s3://bucket?addressing=odd", ("", ""), "addressing"),
        ("s3://bucket", ("key", ""), "AWS_SECRET_ACCESS_KEY"),
        ("s3://bucket", ("", "key"), "AWS_ACCESS_KEY_ID"),
        ("s3://bucket/in/here?region=cn-north-1", ("", ""), ""),
        ("file", ("", ""), ""),
    ],
)
def test_a_storage_that_is_not_whole_is_refused(
    settings: Settings, given: str, keys: tuple[str, str], wrong: str
) -> None:
    settings.CQIA_STORAGE = given
    settings.STORAGE_KEYS = dict(zip(("access_key", "secret_key"), keys, strict=True))
    found = checks.check_storage()
    assert [fault.id for fault in found] == (["cqia.E009"] if wrong else [])
    assert all(wrong in fault.msg for fault in found)


def test_without_such_storage_nothing_is_tidied(settings: Settings, tmp_path: Path) -> None:
    settings.UPLOAD_ROOT = tmp_path
    (tmp_path / "x").write_bytes(b"x")
    os.utime(tmp_path / "x", (0, 0))
    assert depot.tidy() == 0
    assert (tmp_path / "x").exists()

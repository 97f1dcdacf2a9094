"""Building: the same bytes every time, whole or not at all, whatever happens to the builder."""

import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import pgtrigger
import pytest
from django.db import connection
from django.utils import timezone

from exports import build, folders, portions, storage
from exports.models import Artifact, Release
from review.models import Record, Revision, User
from review.refused import Refused
from tests.exports.conftest import Approved, built, cut
from tests.exports.test_cutting import take_down
from tests.factories import approve, record

pytestmark = [pytest.mark.django_db, pytest.mark.core]


def content(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_build_writes_data_records_card_and_manifest(approved: Approved, release_root: Path) -> None:
    approved(2)
    approved(3, source="mba", holder="另一人")
    release = built()
    files = content(release_root / "v1")
    assert sorted(files) == [
        *("CHANGES.md", "README.md", "croissant.json", "data/mba.jsonl", "data/ruozhiba.jsonl", "dataset_info.json"),
        *("manifest.json", "records/mba.jsonl", "records/ruozhiba.jsonl"),
    ]
    lines = files["data/mba.jsonl"].split(b"\n")
    about = [json.loads(line) for line in files["records/mba.jsonl"].splitlines()]
    assert (len(lines), lines[-1]) == (4, b"")
    assert [sha256(line).hexdigest() for line in lines[:-1]] == [said["sha256"] for said in about]
    assert [list(said) for said in about] == [["id", "sha256", "licence", "holder", "external_id"]] * 3
    assert {(said["licence"], said["holder"]) for said in about} == {("CC-BY-4.0", "另一人")}
    assert [said["id"] for said in about] == list(
        Record.objects.filter(source__slug="mba").order_by("pk").values_list("pk", flat=True)
    )
    assert (release.state, release.manifest_sha256) == ("built", sha256(files["manifest.json"]).hexdigest())


def test_manifest_tells_what_every_file_is(approved: Approved, release_root: Path, lin: User) -> None:
    approved(2)
    approved(1, licence=None)
    approve(record(), lin, output="改写过的回答。")
    release = built(slug="internal")
    folder = release_root / "v1-internal"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert {key: manifest[key] for key in ("name", "version", "internal", "records", "app_version")} == {
        "name": "cqia-v1-internal",
        "version": "v1",
        "internal": True,
        "records": 4,
        "app_version": release.app_version,
    }
    assert "不得发布" in manifest["notice"]
    assert manifest["licences"] == {"CC-BY-4.0": 2, "unknown": 2}
    assert manifest["verification"] == {
        "reviewers": 1,
        "edited": 1,
        "settled": 0,
        "judged_by_several": 0,
        "agreed": 0,
    }
    assert manifest["sources"][0]["answer_from"] == {"human": 4}
    stated = {file["path"]: (file["bytes"], file["sha256"]) for file in manifest["files"]}
    written = {
        path: (len(data), sha256(data).hexdigest()) for path, data in content(folder).items() if path != "manifest.json"
    }
    assert stated == written
    kept = set(Artifact.objects.filter(release=release).values_list("path", "bytes", "sha256"))
    assert {(path, *said) for path, said in written.items()} < kept


def test_only_time_in_a_release_is_that_of_the_cut(approved: Approved, release_root: Path) -> None:
    approved(2)
    release = built()
    assert release.cut_at is not None
    assert release.cut_at.microsecond == 0
    times = {int(path.stat().st_mtime) for path in (release_root / "v1").rglob("*") if path.is_file()}
    assert times == {int(release.cut_at.timestamp())}


def test_build_again_gives_the_same_bytes(
    approved: Approved, release_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    approved(5)
    approved(3, source="mba")
    release = built()
    before = content(release_root)
    shutil.rmtree(release_root)
    monkeypatch.setattr(portions, "PAGE_ROWS", 2)
    monkeypatch.setattr(portions, "BLOCK_BYTES", 1)
    build.build(release.pk)
    assert content(release_root) == before


def test_build_again_writes_the_card_as_it_was_first_worded(
    approved: Approved, release_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later version of the program may word it otherwise; a release stays the same."""
    approved(2)
    release = built()
    before = content(release_root)
    shutil.rmtree(release_root)
    monkeypatch.setattr("exports.card.render", lambda *_args: "another wording")
    monkeypatch.setattr("exports.manifest.render", lambda *_args: "another wording")
    build.build(release.pk)
    assert content(release_root) == before


def test_build_of_intact_release_writes_nothing(approved: Approved, release_root: Path) -> None:
    approved(2)
    release = built()
    before = (release_root / "v1").stat().st_ino
    build.build(release.pk)
    assert (release_root / "v1").stat().st_ino == before


@pytest.mark.parametrize("harm", ["altered", "shortened", "missing", "extra", "touched", "linked"])
def test_build_of_damaged_release_restores_it(approved: Approved, release_root: Path, harm: str) -> None:
    approved(2)
    release = built()
    before = content(release_root)
    path = release_root / "v1" / "data" / "ruozhiba.jsonl"
    data = path.read_bytes()
    match harm:
        case "altered":
            path.write_bytes(data.replace(b"true", b"fals"))
        case "shortened":
            path.write_bytes(data[:-1])
        case "missing":
            path.unlink()
        case "extra":
            (path.parent / "more.jsonl").write_bytes(data)
        case "touched":
            os.utime(path)
        case "linked":
            path.rename(release_root / "elsewhere")
            path.symlink_to(release_root / "elsewhere")
    assert not storage.is_intact(release)
    build.build(release.pk)
    assert storage.is_intact(release)
    (release_root / "elsewhere").unlink(missing_ok=True)
    assert content(release_root) == before


def test_build_that_would_differ_is_refused(approved: Approved, release_root: Path) -> None:
    approved(2)
    release = built()
    shutil.rmtree(release_root)
    with pgtrigger.ignore("review.Revision:append_only"):
        Revision.objects.update(output="偷换的回答。")
    with pytest.raises(Refused, match=r"data/ruozhiba\.jsonl"):
        build.build(release.pk)
    release.refresh_from_db()
    assert "data/ruozhiba.jsonl" in release.error
    assert (release.state, release.lease_until) == ("built", None)
    assert content(release_root) == {}


def test_empty_release_is_whole_and_says_why(approved: Approved, release_root: Path) -> None:
    approved(2, licence=None)
    release = built()
    assert sorted(content(release_root / "v1")) == [
        *("CHANGES.md", "README.md", "croissant.json", "dataset_info.json", "manifest.json")
    ]
    assert release.records == 0
    assert "权利不明" in (release_root / "v1" / "README.md").read_text()


def test_record_taken_down_since_stops_the_build(approved: Approved, release_root: Path) -> None:
    batch = approved(2)
    release = cut()
    take_down(Record.objects.filter(batch=batch))
    with pytest.raises(Refused, match="taken down"):
        build.build(release.pk)
    release.refresh_from_db()
    assert release.state == "failed"
    assert not (release_root / "v1").exists()


def test_f18_full_disk_fails_the_build_and_leaves_nothing(
    approved: Approved, release_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F18. The release can be built once there is room."""
    approved(2)
    older = built("v0")
    release = cut()

    def no_room(_self: folders.Writer, _block: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(folders.Writer, "write", no_room)
        with pytest.raises(OSError, match="No space left"):
            build.build(release.pk)
    release.refresh_from_db()
    assert (release.state, release.lease_until) == ("failed", None)
    assert "No space left" in release.error
    assert [path.name for path in release_root.iterdir()] == ["v0"]
    assert storage.is_intact(older)
    after = build.build(release.pk)
    assert (after.state, after.error) == ("built", "")


def test_builder_that_was_overtaken_writes_nothing(
    approved: Approved, release_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F4. Its claim has run out and another one has taken the release: its folder is thrown away."""
    approved(4)
    release = cut()
    monkeypatch.setattr(portions, "PAGE_ROWS", 1)

    def overtake(done: int, _total: int) -> None:
        if done == 3:
            Release.objects.filter(pk=release.pk).update(fence=99)

    with pytest.raises(build.Busy):
        build.build(release.pk, progress=overtake)
    release.refresh_from_db()
    assert (release.state, release.error) == ("cut", "")
    assert content(release_root) == {}


def test_heartbeat_tells_a_builder_early_that_it_was_overtaken(
    approved: Approved, monkeypatch: pytest.MonkeyPatch
) -> None:
    approved(9)
    release = cut()
    monkeypatch.setattr(portions, "PAGE_ROWS", 1)
    monkeypatch.setattr(build, "HEARTBEAT_SECONDS", -1.0)
    seen: list[int] = []

    def overtake(done: int, _total: int) -> None:
        seen.append(done)
        Release.objects.filter(pk=release.pk).update(fence=99)

    with pytest.raises(build.Busy):
        build.build(release.pk, progress=overtake)
    assert seen == [1]


def test_heartbeat_prolongs_the_lease(approved: Approved, monkeypatch: pytest.MonkeyPatch) -> None:
    approved(3)
    release = cut()
    monkeypatch.setattr(portions, "PAGE_ROWS", 1)
    monkeypatch.setattr(build, "HEARTBEAT_SECONDS", -1.0)
    leases = []
    build.build(
        release.pk,
        progress=lambda _done, _total: leases.append(Release.objects.get(pk=release.pk).lease_until),
    )
    assert len(set(leases)) == 3


@pytest.mark.parametrize(("minutes", "builder"), [(1, "another-machine"), (1, "this machine, alive")])
def test_build_of_release_in_work_is_refused(
    approved: Approved, release_root: Path, minutes: int, builder: str
) -> None:
    approved()
    release = cut()
    until = timezone.now() + timedelta(minutes=minutes)
    release_root.mkdir()
    with folders.staged(release_root, build.STAGING, tag=f"{release.pk}."):
        host = os.uname().nodename if "alive" in builder else builder
        Release.objects.filter(pk=release.pk).update(lease_until=until, builder=host)
        with pytest.raises(build.Busy):
            build.build(release.pk)


def test_build_whose_lease_has_run_out_is_taken_over(approved: Approved) -> None:
    approved()
    release = cut()
    past = timezone.now() - timedelta(seconds=1)
    Release.objects.filter(pk=release.pk).update(lease_until=past, builder="another-machine", fence=7)
    assert build.build(release.pk).fence == 8


def test_withdrawn_release_is_not_built(approved: Approved) -> None:
    approved()
    release = built()
    Release.objects.filter(pk=release.pk).update(state="withdrawn", withdrawn_at=timezone.now(), reason="x")
    with pytest.raises(Refused, match="withdrawn"):
        build.build(release.pk)


def test_leftovers_of_killed_builds_are_removed_by_the_next_of_any_release(
    approved: Approved, release_root: Path
) -> None:
    approved()
    for name in (".building-7.abc", ".building-8.abc", ".v1.aside.abc"):
        (release_root / name).mkdir(parents=True)
    with folders.staged(release_root, build.STAGING, tag="9.") as alive:
        built()
        assert sorted(path.name for path in release_root.iterdir()) == [alive.name, "v1"]


KILLED = """
import os, signal
import django
django.setup()
from exports import build, portions
portions.PAGE_ROWS = 2
build.build({release}, progress=lambda done, total: done > 4 and os.kill(os.getpid(), signal.SIGKILL))
"""


@pytest.mark.django_db(transaction=True)
def test_f17_kill_in_mid_build_leaves_nothing_and_a_second_build_gives_the_same(
    approved: Approved, release_root: Path
) -> None:
    """F17, with a process of its own and SIGKILL."""
    approved(8)
    release = cut()
    database = connection.settings_dict
    address = f"postgres://{database['USER']}@{quote(database['HOST'], safe='')}:{database['PORT']}/{database['NAME']}"
    environment = os.environ | {"DATABASE_URL": address, "CQIA_DATA_DIR": str(release_root.parent)}
    killed = subprocess.run([sys.executable, "-c", KILLED.format(release=release.pk)], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    (leftover,) = release_root.iterdir()
    assert leftover.name.startswith(".building-")
    assert any(leftover.rglob("*.jsonl"))
    assert Release.objects.get(pk=release.pk).state == "cut"
    after = build.build(release.pk)
    assert [path.name for path in release_root.iterdir()] == ["v1"]
    first = content(release_root)
    shutil.rmtree(release_root)
    build.build(release.pk)
    assert content(release_root) == first
    assert after.attempts == 0


def test_f19_crash_between_rename_and_commit_is_made_good(
    approved: Approved, release_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F19. The folder stands, the database does not know: the next build puts the same in its place."""
    approved(2)
    release = cut()

    def crash(*_args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(build, "_mark_built", crash)
        with pytest.raises(KeyboardInterrupt):
            build.build(release.pk)
    before = content(release_root)
    assert before
    assert not Artifact.objects.exists()
    release.refresh_from_db()
    assert (release.state, release.error) == ("cut", "")
    assert build.build(release.pk).state == "built"
    assert content(release_root) == before


@pytest.mark.django_db(transaction=True)
def test_build_holds_no_transaction_while_it_writes(approved: Approved, monkeypatch: pytest.MonkeyPatch) -> None:
    approved(6)
    release = cut()
    monkeypatch.setattr(portions, "PAGE_ROWS", 2)
    states = []

    def look(_done: int, _total: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT xact_start = query_start FROM pg_stat_activity WHERE pid = pg_backend_pid()")
            states.append(cursor.fetchone())

    build.build(release.pk, progress=look)
    assert states == [(True,)] * 3

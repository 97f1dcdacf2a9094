"""What differs between two releases: counted from rows and from folders alike, stated in CHANGES.md."""

from pathlib import Path

import pytest

from exports import comparing, storage
from exports.comparing import Change
from exports.models import Release
from review import workflow
from review.models import Cause, Label, Record, Revision, State, User
from review.rights import decide_rights
from tests.exports.conftest import Approved, built
from tests.exports.test_build import content
from tests.exports.test_commands import run
from tests.exports.test_cutting import take_down
from tests.factories import approve, candidate

pytestmark = [pytest.mark.django_db, pytest.mark.core]

SAID = {"added": 2, "changed": 1, "removed": 1, "rights_changed": 2, "unchanged": 1}


@pytest.fixture
def two(approved: Approved, lin: User, mei: User) -> tuple[Release, Release]:
    """Two releases between which something of every kind has happened."""
    approved(2)
    batch = approved(2, source="mba", licence="MIT")
    gone = approved(1, source="mba", licence="MIT")
    old = built("v1")
    take_down(Record.objects.filter(batch=gone))
    decide_rights(batch, by=None, licence="CC0-1.0", holder="另一人")
    reworded = Record.objects.filter(source__slug="ruozhiba").order_by("pk").first()
    assert reworded is not None
    _send_back_and_rewrite(reworded, mei)
    approved(2, source="poem")
    return old, built("v2", formats=("cqia", "alpaca"), shard_size=1)


def _send_back_and_rewrite(reworded: Record, by: User) -> None:
    workflow.move(
        Record.objects.filter(pk=reworded.pk),
        cause=Cause.SEND_BACK,
        by=by,
        state=State.WAITING,
        verdict=None,
        round=reworded.round + 1,
    )
    reworded.refresh_from_db()
    approve(reworded, by, output="另一个回答，由审核者改写。")


def test_rows_and_folders_count_alike(two: tuple[Release, Release]) -> None:
    by_rows = comparing.releases(*two)
    by_folders = comparing.folders(*map(storage.folder_of, two))
    assert by_rows.total == by_folders.total == SAID
    assert by_rows == by_folders
    old, new = two
    assert new.records == SAID["added"] + SAID["changed"] + SAID["rights_changed"] + SAID["unchanged"]
    assert old.records == SAID["removed"] + SAID["changed"] + SAID["rights_changed"] + SAID["unchanged"]


def test_command_counts_versions_and_folders(two: tuple[Release, Release], release_root: Path) -> None:
    for old in ("v1", release_root / "v1"):
        for new in ("v2", release_root / "v2"):
            assert run("diff_releases", old, new, "--json").json == SAID
    assert run("diff_releases", "v1", "v1", "--json").json["unchanged"] == 5
    assert "mba: removed 1, rights changed 2" in run("diff_releases", "v1", "v2").out


def test_command_without_a_release_is_wrong_usage(two: tuple[Release, Release], tmp_path: Path) -> None:
    assert run("diff_releases", "v1", "v9").status == 2
    assert run("diff_releases", tmp_path, "v1").status == 2
    assert "holds no release" in run("diff_releases", tmp_path, "v1").err


def test_changes_file_says_the_same(two: tuple[Release, Release], release_root: Path) -> None:
    text = (release_root / "v2" / "CHANGES.md").read_text()
    assert "`cqia-v1`" in text
    assert "| 合计 Total | 2 | 1 | 1 | 2 | 1 |" in text
    assert "| `mba` | 0 | 0 | 1 | 2 | 0 |" in text
    assert "第一个版本" in (release_root / "v1" / "CHANGES.md").read_text()


def test_differing_records_come_in_pages(two: tuple[Release, Release]) -> None:
    first = comparing.differing(*two, limit=4)
    rest = comparing.differing(*two, limit=4, after=first[-1].record)
    found = [*first, *rest]
    assert [pair.record for pair in found] == sorted(pair.record for pair in found)
    assert sorted(pair.change for pair in found) == sorted(
        change for change, number in SAID.items() if change != "unchanged" for _ in range(number)
    )
    (changed,) = comparing.differing(*two, limit=9, change=Change.CHANGED)
    assert changed.old_revision != changed.new_revision
    assert len(comparing.differing(*two, limit=9, source="mba")) == 3


def test_merged_labels_are_written_under_their_name_from_the_next_cut_on(
    approved: Approved, release_root: Path
) -> None:
    one, other = candidate(minor=("书", "图书", "影评"), domain=("书",)), candidate(minor=("影评",))
    approved([one, other])
    old = built("v1")
    label = Label.objects.create(kind="minor", name="图书")
    between = Label.objects.create(kind="minor", name="书籍", alias_of=label)
    Label.objects.create(kind="minor", name="书", alias_of=between)
    new = built("v2")
    assert new.aliases == {"minor": {"书籍": "图书", "书": "图书"}}
    lines = (release_root / "v2" / "data" / "ruozhiba.jsonl").read_text().splitlines()
    assert '"minor": ["图书", "影评"]}, "domain": ["书"]' in lines[0]
    assert '"minor": ["书", "图书", "影评"]}' in (release_root / "v1" / "data" / "ruozhiba.jsonl").read_text()
    counted = {"added": 0, "changed": 1, "removed": 0, "rights_changed": 0, "unchanged": 1}
    assert comparing.releases(old, new).total == counted
    assert comparing.folders(storage.folder_of(old), storage.folder_of(new)).total == counted
    before = content(release_root / "v2")
    Label.objects.filter(name="书").update(alias_of=None)
    assert run("export_release", "v2", "--out", release_root / "copy").status == 0
    assert content(release_root / "copy") == before
    assert Revision.objects.filter(task_type__minor=["书", "图书", "影评"]).exists()


def test_damaged_folder_is_named(two: tuple[Release, Release], release_root: Path) -> None:
    path = release_root / "v1" / "records" / "mba.jsonl"
    path.write_bytes(path.read_bytes()[:-40])
    ran = run("diff_releases", release_root / "v1", "v2")
    assert (ran.status, "mba.jsonl is not as a release writes it" in ran.err) == (1, True)

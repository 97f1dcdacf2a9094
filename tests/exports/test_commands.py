"""The commands: what they print, what they answer programs, how they exit."""

import io
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone

from exports import build
from exports.held import WORDS
from exports.management.commands import export_release
from exports.models import Release
from review import reporting
from review.models import Licence, Record, Token, User
from review.retractions import retract
from tests.exports.conftest import Approved, approve_waiting, built, cut
from tests.exports.test_build import content
from tests.exports.test_cutting import take_down
from tests.factories import add_records, candidate

pytestmark = [pytest.mark.django_db, pytest.mark.core]


class Ran(NamedTuple):
    """How a command ended: its exit status and what it wrote."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out.splitlines()[-1])


def run(name: str, *arguments: object) -> Ran:
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command(name, *map(str, arguments), stdout=out, stderr=err)
    except CommandError as error:
        return Ran(error.returncode, out.getvalue(), f"{err.getvalue()}{error}")
    return Ran(0, out.getvalue(), err.getvalue())


def test_export_release_places_it_and_answers(approved: Approved, tmp_path: Path) -> None:
    approved(2)
    approved(1, source="mba", licence=None)
    ran = run("export_release", "v1", "--out", tmp_path / "out", "--json")
    assert ran.status == 0
    assert len(ran.out.splitlines()) == 1
    assert set(ran.json) == {"version", "records", "held_back", "files", "seconds"}
    assert (ran.json["version"], ran.json["records"]) == ("v1", 2)
    assert ran.json["held_back"] == {"rights-unknown": 1}
    assert {file["path"] for file in ran.json["files"]} == set(content(tmp_path / "out"))
    assert all(set(file) == {"path", "records", "bytes", "sha256"} for file in ran.json["files"])
    assert "/admin/review/rights/" in ran.err
    assert run("verify_release", tmp_path / "out", "--json").json == {"ok": True, "records": 2, "problems": []}


def test_export_release_speaks_to_people_without_json(approved: Approved, tmp_path: Path) -> None:
    approved(2)
    ran = run("export_release", "v1", "--out", tmp_path / "out")
    assert "v1" in ran.out
    assert str(tmp_path / "out") in ran.out
    assert ran.err == ""


def test_export_release_that_holds_nothing_says_why(approved: Approved, tmp_path: Path) -> None:
    approved(3, licence=None)
    ran = run("export_release", "v1", "--out", tmp_path / "out", "--json")
    assert (ran.status, ran.json["records"], ran.json["held_back"]) == (0, 0, {"rights-unknown": 3})
    assert "/admin/review/rights/" in ran.err
    assert "internal" in ran.err


def test_export_release_with_nothing_approved_says_so(db: None, tmp_path: Path) -> None:
    ran = run("export_release", "v1", "--out", tmp_path / "out", "--json")
    assert (ran.status, ran.json["records"], ran.json["held_back"]) == (0, 0, {})
    assert "/review/" in ran.err


def test_export_release_internally_is_marked(approved: Approved, tmp_path: Path) -> None:
    approved(3, licence=None)
    ran = run("export_release", "v0.1", "--out", tmp_path / "out", "--policy", "internal", "--json")
    assert (ran.status, ran.json["records"]) == (0, 3)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert (manifest["internal"], manifest["name"]) == (True, "cqia-v0.1-internal")
    card = (tmp_path / "out" / "README.md").read_text()
    assert "不得发布" in card
    assert "internal-only" in card


@pytest.mark.parametrize("reason", ["restricted", "objected", "fair-use", "taken-down", "retracted"])
def test_export_release_explains_every_reason(approved: Approved, tmp_path: Path, reason: str) -> None:
    batch = approved(2, licence=reason if reason in Licence.values else "MIT")
    if reason == "taken-down":
        take_down(Record.objects.filter(batch=batch))
    if reason == "retracted":
        retract(batch, by=None)
    ran = run("export_release", "v1", "--out", tmp_path / "out")
    assert "Held back: 2" in ran.out


def test_export_release_has_a_sentence_for_every_reason(approved: Approved) -> None:
    approved(1)
    release = cut()
    assert all("7" in export_release._explained(reason, 7, release) for reason in WORDS)


def test_export_release_again_gives_the_same_bytes(approved: Approved, lin: User, tmp_path: Path) -> None:
    approved(2)
    first = run("export_release", "v1", "--out", tmp_path / "one", "--json")
    add_records("mba", [candidate()], licence="MIT")
    approve_waiting(lin)
    second = run("export_release", "v1", "--out", tmp_path / "two", "--json")
    third = run("export_release", "v1", "--out", tmp_path / "one", "--json")
    assert first.json["files"] == second.json["files"] == third.json["files"]
    assert content(tmp_path / "one") == content(tmp_path / "two")


@pytest.mark.parametrize("options", [["--policy", "open"], ["--source", "mba"]])
def test_export_release_again_with_other_options_is_refused(
    approved: Approved, tmp_path: Path, options: list[str]
) -> None:
    approved(2)
    run("export_release", "v1", "--out", tmp_path / "one")
    ran = run("export_release", "v1", "--out", tmp_path / "two", *options)
    assert (ran.status, "other options" in ran.err) == (1, True)
    assert not (tmp_path / "two").exists()


def test_export_release_of_withdrawn_version_is_refused(approved: Approved, tmp_path: Path) -> None:
    approved(2)
    Release.objects.filter(pk=built().pk).update(state="withdrawn", withdrawn_at=timezone.now(), reason="x")
    ran = run("export_release", "v1", "--out", tmp_path / "out")
    assert (ran.status, "withdrawn" in ran.err) == (1, True)


def test_export_release_with_records_taken_down_since_is_refused(approved: Approved, tmp_path: Path) -> None:
    batch = approved(2)
    built()
    take_down(Record.objects.filter(batch=batch))
    ran = run("export_release", "v1", "--out", tmp_path / "out")
    assert (ran.status, "taken down" in ran.err) == (1, True)
    assert not (tmp_path / "out").exists()


WRONG: tuple[tuple[list[str], str], ...] = (
    (["v1", "--source", "nowhere"], "There is no source “nowhere”"),
    (["v1", "--policy", "everything"], "There are: internal, open, research"),
    (["v1", "--format", "csv"], "There are: cqia, alpaca, sharegpt, messages, parquet"),
    (["v1", "--split", "train=0.9,test=0.2"], "shares that are 1 together"),
    (["v1", "--split", "all=1"], "names of small letters"),
    (["v1", "--split", "train=0.5,train=0.5"], "names of small letters"),
    (["v1", "--split", "../x=1"], "names of small letters"),
    (["v1", "--shard-size", "0"], "A shard holds one record or more"),
    (["v1", "--compress", "bzip2"], "invalid choice"),
    (["v1", "--mix", "nowhere"], "There is no file and no mix “nowhere”"),
    (["v1", "--format", ""], "There is no format"),
    (["../v1"], "A version is made of"),
    (["v1-internal"], "Only a release for use in the house"),
    (["v1", "--sauce", "x"], "--sauce"),
    ([], "version"),
)


@pytest.mark.parametrize(
    ("arguments", "said"), WRONG, ids=lambda case: " ".join(case) if isinstance(case, list) else ""
)
def test_export_release_used_wrongly_exits_with_2(
    approved: Approved, tmp_path: Path, arguments: list[str], said: str
) -> None:
    approved(1)
    ran = run("export_release", *arguments, "--out", tmp_path / "out")
    assert said in ran.err
    assert ran.status in {1, 2}
    assert not Release.objects.exists()


def test_64_export_release_checks_the_place_before_the_version_is_taken(approved: Approved, tmp_path: Path) -> None:
    approved(1)
    ran = run("export_release", "v1", "--out", tmp_path / "missing" / "out")
    assert (ran.status, "does not exist" in ran.err) == (1, True)
    assert not Release.objects.exists()


@pytest.mark.parametrize("error", [OSError(28, "No space left on device", "/x"), OperationalError("gone\nsecond line")])
def test_export_release_tells_what_is_in_the_way_in_a_sentence(
    approved: Approved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    approved(1)

    def fail(*_args: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr(build, "build", fail)
    ran = run("export_release", "v1", "--out", tmp_path / "out")
    assert ran.status == 1
    assert "in the way" in ran.err
    assert "\n" not in ran.err


def test_export_release_waits_for_another_builder(
    approved: Approved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    approved(1)
    monkeypatch.setattr(export_release, "WAIT_SECONDS", 0)
    release = cut()
    Release.objects.filter(pk=release.pk).update(lease_until="2100-01-01T00:00Z", builder="another-machine")
    waited = []

    def pass_on(_seconds: float) -> None:
        waited.append(1)
        if len(waited) == 3:
            Release.objects.filter(pk=release.pk).update(lease_until=None)

    monkeypatch.setattr(export_release, "sleep", pass_on)
    ran = run("export_release", "v1", "--out", tmp_path / "out")
    assert (ran.status, ran.out.count("Another process")) == (0, 1)


def test_verify_release_names_problems_and_fails(approved: Approved, tmp_path: Path, release_root: Path) -> None:
    approved(2)
    built()
    (release_root / "v1" / "README.md").unlink()
    for argument in ("v1", release_root / "v1", "--all"):
        ran = run("verify_release", argument, "--json")
        assert ran.status == 1
        assert (ran.json["ok"], ran.json["records"]) == (False, 2)
        assert any("README.md is missing" in problem for problem in ran.json["problems"])


def test_verify_release_of_several(approved: Approved, tmp_path: Path) -> None:
    approved(2)
    built("v1")
    built("v2", slug="internal")
    assert run("verify_release", "v1", "v2", "--json").json["records"] == 4
    assert run("verify_release", "--all").status == 0
    ran = run("verify_release", "v1", "v3", tmp_path / "nowhere")
    assert ran.status == 1
    assert ran.out.count("no release of this name") == 2


@pytest.mark.parametrize("arguments", [[], ["v1", "--all"]])
def test_verify_release_used_wrongly_exits_with_2(db: None, arguments: list[str]) -> None:
    assert run("verify_release", *arguments).status == 2


def test_verify_release_of_nothing_kept_is_no_failure(db: None) -> None:
    assert run("verify_release", "--all", "--json").json == {"ok": True, "records": 0, "problems": []}


def test_create_token_prints_the_secret_alone(tao: User) -> None:
    ran = run("create_token", "tao", "--scope", "export:read", "export:internal", "--days", 3)
    token = Token.objects.get()
    assert ran.out.strip().isalnum()
    assert ran.out.strip() not in token.digest
    assert (token.user, token.scopes) == (tao, ["export:internal", "export:read"])
    assert token.expiry is not None
    assert (token.expiry - token.created).days in {2, 3}
    assert ran.out.strip() not in ran.err


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["nobody", "--scope", "export:read"], 1),
        (["tao", "--scope", "export:everything"], 1),
        (["tao"], 1),
        (["tao", "--scope", "export:read", "--days", "0"], 2),
    ],
)
def test_create_token_wrongly_is_refused(tao: User, arguments: list[str], status: int) -> None:
    assert run("create_token", *arguments).status == status
    assert not Token.objects.exists()


def test_create_token_for_somebody_who_left_is_refused(tao: User) -> None:
    User.objects.filter(pk=tao.pk).update(is_active=False)
    assert run("create_token", "tao", "--scope", "export:read").status == 1


def test_progress_is_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "LINE_SECONDS", -1.0)
    out = io.StringIO()
    command = export_release.Command(stdout=out)
    command.as_json = False
    with command.progress("Writing") as show:
        show(1_000, 2_000)
    assert out.getvalue() == "Writing: 1,000 / 2,000\n"


def test_progress_is_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    command = export_release.Command(stdout=io.StringIO())
    command.as_json = False
    with command.progress("Writing") as show:
        show(1, 2)
    assert "Writing" in terminal.getvalue()

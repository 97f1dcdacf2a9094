"""Verification names each kind of tampering."""

import json
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from exports import releases, storage, verify
from exports.models import Release
from exports.verify import check_folder
from review.models import Record
from tests.exports.conftest import Approved, built, cut
from tests.exports.test_cutting import take_down

pytestmark = pytest.mark.django_db
DATA, RECORDS = Path("data/ruozhiba.jsonl"), Path("records/ruozhiba.jsonl")


@pytest.fixture
def folder(approved: Approved, release_root: Path) -> Path:
    """A release of two sources."""
    approved(3)
    approved(2, source="mba")
    built()
    return release_root / "v1"


def test_intact_release_has_no_problems(folder: Path) -> None:
    seen: list[tuple[int, int]] = []
    checked = check_folder(folder, progress=lambda done, total: seen.append((done, total)))
    assert (checked.records, checked.problems) == (5, [])
    assert seen == [(2, 5), (5, 5)]
    assert releases.verify(Release.objects.get()).problems == []


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object], *, path: Path = DATA, number: int = 1) -> None:
    """Change one line and make every hash and size fit again: nothing but the line itself can tell."""
    lines = (folder / path).read_bytes().split(b"\n")
    value = json.loads(lines[number])
    answer = change(value)
    lines[number] = answer if isinstance(answer, bytes) else json.dumps(value, ensure_ascii=False).encode()
    (folder / path).write_bytes(b"\n".join(lines))
    if path == DATA:
        about = (folder / RECORDS).read_bytes().split(b"\n")
        said = json.loads(about[number]) | {"sha256": sha256(lines[number]).hexdigest()}
        about[number] = json.dumps(said, ensure_ascii=False).encode()
        (folder / RECORDS).write_bytes(b"\n".join(about))
    restate(folder)


def restate(folder: Path, **said: Any) -> None:
    """Write the manifest anew over the files as they are now."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for file in manifest["files"]:
        data = (folder / file["path"]).read_bytes()
        file |= {"bytes": len(data), "sha256": sha256(data).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(manifest | said, ensure_ascii=False, indent=2) + "\n")


def reordered(value: dict[str, Any]) -> bytes:
    return json.dumps(dict(reversed(value.items())), ensure_ascii=False).encode()


LINES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "no longer JSON": (lambda _value: b"{", "no JSON object"),
    "a list": (lambda _value: b"[]", "no JSON object"),
    "not UTF-8": (lambda _value: b'{"instruction": "\xff"}', "no JSON object"),
    "too deep": (lambda _value: b"[" * 100_000, "no JSON object"),
    "a field less": (lambda value: value.pop("metadata"), "in this order"),
    "a field more": (lambda value: value.update(extra=1), "in this order"),
    "another order": (reordered, "in this order"),
    "empty instruction": (lambda value: value.update(instruction=" "), "instruction is not as it must be"),
    "empty output": (lambda value: value.update(output=""), "output is not as it must be"),
    "input null": (lambda value: value.update(input=None), "input is not as it must be"),
    "task type a list": (lambda value: value.update(task_type=[]), "task_type is not as it must be"),
    "minor missing": (lambda value: value["task_type"].pop("minor"), "task_type is not as it must be"),
    "domain a text": (lambda value: value.update(domain="百科"), "domain is not as it must be"),
    "domain of numbers": (lambda value: value.update(domain=[1]), "domain is not as it must be"),
    "metadata an object": (lambda value: value.update(metadata={}), "metadata is not as it must be"),
    "answer from nobody": (lambda value: value.update(answer_from=""), "answer_from is not as it must be"),
    "answer from a list": (lambda value: value.update(answer_from=[]), "answer_from is not as it must be"),
    "not verified": (lambda value: value.update(human_verified=False), "human_verified is not as it must be"),
    "verified in words": (lambda value: value.update(human_verified="true"), "human_verified is not as it must be"),
    "no copyright": (lambda value: value.update(copyright=""), "copyright is not as it must be"),
    "escaped": (lambda value: json.dumps(value).encode(), "the way a release is written"),
    "without spaces": (
        lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(),
        "the way a release is written",
    ),
    "lone surrogate": (lambda value: json.dumps(value | {"input": "\ud800"}).encode(), "the way a release is written"),
    "key twice": (
        lambda value: json.dumps(value, ensure_ascii=False).encode().replace(b'{"ins', b'{"instruction": "x", "ins', 1),
        "the way a release is written",
    ),
}


@pytest.mark.parametrize("harm", LINES)
def test_line_rewritten_with_all_hashes_is_named(folder: Path, harm: str) -> None:
    change, problem = LINES[harm]
    rewrite(folder, change)
    (found,) = check_folder(folder).problems
    assert found.startswith(f"{DATA}, line 2: ")
    assert problem in found


ABOUT: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another sha256": (lambda value: value.update(sha256="0" * 64), "not that of the line"),
    "no sha256": (lambda value: value.update(sha256="abc"), "sha256 is not as it must be"),
    "no number": (lambda value: value.update(id="1"), "id is not as it must be"),
    "id true": (lambda value: value.update(id=True), "id is not as it must be"),
    "no licence": (lambda value: value.update(licence=""), "licence is not as it must be"),
    "licence outside the policy": (lambda value: value.update(licence="restricted"), "not in the policy"),
    "holder null": (lambda value: value.update(holder=None), "holder is not as it must be"),
    "external id a number": (lambda value: value.update(external_id=7), "external_id is not as it must be"),
    "a field more": (lambda value: value.update(more=7), "in this order"),
}


@pytest.mark.parametrize("harm", ABOUT)
def test_record_rewritten_with_all_hashes_is_named(folder: Path, harm: str) -> None:
    change, problem = ABOUT[harm]
    rewrite(folder, change, path=RECORDS)
    (found,) = check_folder(folder).problems
    assert found.startswith(f"{RECORDS}, line 2: ")
    assert problem in found


def test_id_twice_is_named(folder: Path) -> None:
    first = json.loads((folder / RECORDS).read_bytes().split(b"\n")[0])["id"]
    rewrite(folder, lambda value: value.update(id=first), path=RECORDS)
    assert check_folder(folder).problems == ["1 ids are there more than once"]


def alter(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:20] + b"?" + data[21:])


def link(path: Path) -> None:
    path.rename(path.parent.parent.parent / "elsewhere")
    path.symlink_to(path.parent.parent.parent / "elsewhere")


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "byte changed": (lambda folder: alter(folder / DATA), f"{DATA} has been altered: its sha256 differs"),
    "shortened": (lambda folder: os.truncate(folder / DATA, 50), f"{DATA} has been altered: its size differs"),
    "removed": (lambda folder: (folder / DATA).unlink(), f"{DATA} is missing"),
    "card removed": (lambda folder: (folder / "README.md").unlink(), "README.md is missing"),
    "card altered": (lambda folder: alter(folder / "README.md"), "README.md has been altered: its sha256 differs"),
    "file added": (
        lambda folder: (folder / "data" / "more.jsonl").write_text(""),
        "data/more.jsonl does not belong to the release",
    ),
    "hidden file added": (lambda folder: (folder / ".x").write_text(""), ".x does not belong to the release"),
    "made a link": (lambda folder: link(folder / DATA), f"{DATA} is no regular file"),
    "records removed": (lambda folder: (folder / RECORDS).unlink(), "the files of source ruozhiba are missing"),
}


@pytest.mark.parametrize("harm", FILES)
def test_f20_file_tampered_with_is_named(folder: Path, harm: str) -> None:
    change, problem = FILES[harm]
    change(folder)
    assert problem in check_folder(folder).problems


def test_line_removed_with_all_hashes_is_named(folder: Path) -> None:
    for path in (DATA, RECORDS):
        lines = (folder / path).read_bytes().split(b"\n")
        (folder / path).write_bytes(b"\n".join(lines[1:]))
    restate(folder)
    assert check_folder(folder).problems == ["4 records are there, and the manifest says 5"]


def test_counts_that_contradict_each_other_are_named(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sources"][1]["records"] = 4
    restate(folder, sources=manifest["sources"])
    assert check_folder(folder).problems == [
        f"the manifest contradicts itself about {path}" for path in (DATA, RECORDS)
    ]


ODD_SOURCE = '{"files": [], "sources": [{"source": 5, "records": 1}], "policy": {"licences": []}, "records": 0}'
DAMAGED = (
    "",
    "{",
    "[]",
    "null",
    "{}",
    ODD_SOURCE,
    '{"files": [], "sources": [{}]}',
    "[" * 100_000,
    '{"files": 1}',
    "\ud83d",
)


@pytest.mark.parametrize("text", DAMAGED)
def test_damaged_manifest_is_named(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    assert check_folder(folder).problems == ["manifest.json is damaged"]


@pytest.mark.parametrize("file", [{"path": 1}, {"bytes": -1}, {"sha256": "x"}, {"records": "3"}, {"more": 1}])
def test_manifest_with_odd_files_is_named(folder: Path, file: dict[str, Any]) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][0] |= file
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert check_folder(folder).problems == ["manifest.json is damaged"]


@pytest.mark.parametrize("path", ["../../../etc/passwd", "/etc/passwd"])
def test_manifest_that_points_outside_reads_nothing_there(folder: Path, path: str) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][0]["path"] = path
    manifest["sources"].append(manifest["sources"][0] | {"source": "../../x"})
    (folder / "manifest.json").write_text(json.dumps(manifest))
    problems = check_folder(folder).problems
    assert f"{path} is missing" in problems
    assert "the files of source ../../x are missing" in problems


def test_missing_manifest_is_named(folder: Path, tmp_path: Path) -> None:
    (folder / "manifest.json").unlink()
    for place in (folder, tmp_path, tmp_path / "nowhere"):
        (problem,) = check_folder(place).problems
        assert problem.startswith("manifest.json is missing")


def test_problems_are_named_up_to_a_bearable_number(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "MAX_PROBLEMS", 2)
    (folder / DATA).write_bytes(b"x\n" * 3)
    checked = check_folder(folder)
    assert (len(checked.problems), checked.records) == (2, 5)


def test_kept_release_is_compared_with_the_database(folder: Path) -> None:
    """Whoever rewrites a release and its manifest still meets the hashes that the database keeps."""
    rewrite(folder, lambda value: value.update(output="偷换的回答。"))
    assert check_folder(folder).problems == []
    problems = releases.verify(Release.objects.get()).problems
    for path in (DATA, RECORDS, "manifest.json"):
        assert f"{path} has been altered: its sha256 differs" in problems


def test_kept_release_that_is_gone_is_named(folder: Path) -> None:
    folder.rename(folder.with_name("v2"))
    problems = releases.verify(Release.objects.get()).problems
    assert any("is missing" in problem for problem in problems)


def test_f20_touched_file_is_named(folder: Path) -> None:
    os.utime(folder / DATA)
    assert releases.verify(Release.objects.get()).problems == [f"{DATA} has been touched: its time differs"]
    assert list(storage.differences(folder, Release.objects.get().artifacts.all())) == []


def test_release_with_records_taken_down_since_is_named(folder: Path) -> None:
    take_down(Record.objects.filter(source__slug="mba"))
    (problem,) = releases.verify(Release.objects.get()).problems
    assert problem.startswith("2 of its records have been taken down since")


def test_release_that_was_not_built_is_named(approved: Approved) -> None:
    approved()
    assert releases.verify(cut()).problems == ["it has not been built"]

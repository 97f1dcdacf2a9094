"""Releases in every form: mixes, splits, shards, compression; the same bytes again, and verified line by line."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from exports import build, comparing, portions, releases, storage
from exports.facts import of_form, placed
from exports.models import Mix, Release
from exports.options import FORMATS, Mixture, splits
from exports.verify import check_folder
from exports.writers.parquet import rows
from ingest.document import Document
from review.models import Record
from tests.exports.conftest import Approved, built, policy
from tests.exports.test_build import content
from tests.exports.test_commands import run
from tests.factories import candidate

pytestmark = [pytest.mark.django_db, pytest.mark.core]

EVERYTHING: dict[str, Any] = {
    "formats": tuple(sorted(FORMATS)),
    "splits": splits("train=0.7,validation=0.3"),
    "shard_size": 3,
}


def always(first: int, end: int) -> list[Document]:
    """Candidates with the same questions in every run: into which split one falls follows from what is asked."""
    return [candidate(instruction=f"第{number}问") for number in range(first, end)]


@pytest.fixture
def many(approved: Approved) -> None:
    approved(always(0, 17))
    approved(always(17, 25), source="mba", licence="MIT")


@pytest.mark.parametrize("compress", [None, "gzip", "zstd"])
def test_every_form_is_written_the_same_again_and_verified(
    many: None, release_root: Path, monkeypatch: pytest.MonkeyPatch, compress: str | None
) -> None:
    release = built(compress=compress, **EVERYTHING)
    before = content(release_root)
    checked = check_folder(storage.folder_of(release))
    assert (checked.problems, checked.records) == ([], 25)
    shutil.rmtree(release_root)
    monkeypatch.setattr(portions, "PAGE_ROWS", 2)
    monkeypatch.setattr(portions, "BLOCK_BYTES", 1)
    build.build(release.pk)
    assert content(release_root) == before


def test_splits_and_shards_hold_every_record_once(many: None, release_root: Path) -> None:
    release = built(**EVERYTHING)
    folder = storage.folder_of(release)
    paths = [str(path.relative_to(folder)) for path in folder.rglob("*.*") if path.is_file()]
    data = of_form(paths, "cqia")
    assert "data/ruozhiba.train.00001.jsonl" in data
    assert {placed(path) for path in data} == {
        (source, split) for source in ("mba", "ruozhiba") for split in ("train", "validation")
    }
    sizes = [len((folder / path).read_bytes().splitlines()) for path in data]
    assert (sum(sizes), max(sizes)) == (25, 3)
    for path in data:
        beside = folder / path.replace("data/", "records/")
        assert len(beside.read_bytes().splitlines()) == len((folder / path).read_bytes().splitlines())
        table = folder / path.replace(".jsonl", ".parquet")
        assert list(rows(table)) == [json.loads(line) for line in (folder / path).read_bytes().splitlines()]
    whole = comparing.folders(folder, storage.folder_of(built("v2")))
    assert whole.total["unchanged"] == 25


def test_altered_form_is_named(many: None, release_root: Path) -> None:
    folder = storage.folder_of(built(formats=tuple(sorted(FORMATS))))
    for name in ("alpaca/mba.jsonl", "data/mba.parquet"):
        shutil.copy(folder / name.replace("mba", "ruozhiba"), folder / name)
    problems = check_folder(folder).problems
    assert "alpaca/mba.jsonl does not hold what data/mba.jsonl holds" in problems
    assert "data/mba.parquet does not hold what data/mba.jsonl holds" in problems


def test_damaged_compression_is_named(many: None, release_root: Path) -> None:
    folder = storage.folder_of(built(compress="gzip"))
    path = folder / "data" / "mba.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-20])
    assert "data/mba.jsonl.gz cannot be decompressed" in check_folder(folder).problems


def test_mix_takes_caps_by_seed(many: None, release_root: Path) -> None:
    mix = Mixture((("ruozhiba", 5),), seed=7, others=2)
    release = built("v1", mix=mix)
    assert {source["slug"]: source["records"] for source in release.sources} == {"mba": 2, "ruozhiba": 5}
    assert release.held_back == {"mba": {"not-in-mix": 6}, "ruozhiba": {"not-in-mix": 12}}
    card = (release_root / "v1" / "README.md").read_text()
    assert "| `ruozhiba` | 5 |" in card
    assert "种子 7" in card
    drawn = set(release.rows.values_list("record", flat=True))
    assert drawn == set(built("v2", mix=mix).rows.values_list("record", flat=True))
    other = built("v3", mix=Mixture((("ruozhiba", 5),), seed=8, others=2))
    assert drawn != set(other.rows.values_list("record", flat=True))


def test_larger_mix_of_the_same_seed_holds_the_smaller_one(many: None, approved: Approved) -> None:
    small = built("v1", mix=Mixture((("ruozhiba", 5),), seed=7))
    large = built("v2", mix=Mixture((("ruozhiba", 9),), seed=7))
    assert set(small.rows.values_list("record", flat=True)) < set(large.rows.values_list("record", flat=True))


def test_command_takes_every_option_and_gives_the_same_bytes_again(many: None, tmp_path: Path) -> None:
    (tmp_path / "mix.json").write_text('{"seed": 3, "caps": {"ruozhiba": 9}}')
    said = ["export_release", "v1", "--format", "cqia,alpaca,parquet", "--split", "train=0.5,test=0.5"]
    said += ["--shard-size", "4", "--compress", "zstd", "--mix", str(tmp_path / "mix.json"), "--json"]
    first = run(*said, "--out", tmp_path / "one")
    assert (first.status, first.json["records"], first.json["held_back"]) == (0, 17, {"not-in-mix": 8})
    again = run(*said, "--out", tmp_path / "two")
    assert content(tmp_path / "one") == content(tmp_path / "two")
    assert first.json["files"] == again.json["files"]
    assert run("verify_release", tmp_path / "one", "v1").status == 0
    for other in (["--shard-size", "5"], ["--compress", "gzip"], ["--split", "train=1"], ["--format", "cqia"]):
        assert run(*said, *other, "--out", tmp_path / "three").status == 1
    assert not (tmp_path / "three").exists()


def test_command_takes_a_mix_by_its_name(many: None, tmp_path: Path) -> None:
    Mix.objects.create(slug="small", name_zh="小", name_en="small", spec={"caps": {}, "others": 1})
    ran = run("export_release", "v1", "--mix", "small", "--out", tmp_path / "one", "--json")
    assert ran.json["records"] == 2
    Mix.objects.update(spec={"caps": {}, "others": 2})
    assert run("export_release", "v1", "--mix", "small", "--out", tmp_path / "two").status == 1


def test_plan_counts_what_the_mix_draws(many: None) -> None:

    plan = releases.plan(policy=policy(), options=releases.options(mix={"caps": {"mba": 3}}))
    assert plan.records == {"mba": 3, "ruozhiba": 17}
    assert plan.held_back == {"mba": {"not-in-mix": 5}}
    assert Release.objects.count() == 0


@pytest.mark.parametrize(
    ("form", "key"), [("alpaca", "output"), ("sharegpt", "conversations"), ("messages", "messages")]
)
def test_stream_comes_in_other_forms(many: None, consumer: Client, form: str, key: str) -> None:
    answer = consumer.get(f"/api/v1/export/records.jsonl?format={form}")
    lines = b"".join(answer.streaming_content).splitlines()
    assert len(lines) == 25 == Record.objects.count()
    assert all(key in json.loads(line) for line in lines)

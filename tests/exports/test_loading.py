"""A release is read by the tools of the field on the first try: datasets, huggingface_hub, mlcroissant, pyarrow."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from exports.models import Release
from exports.options import splits
from exports.verify import check_folder
from review.models import User
from tests.conftest import REPOSITORY
from tests.exports.conftest import Approved, approve_waiting, built
from tests.exports.test_commands import run
from tests.factories import candidate

pytestmark = pytest.mark.django_db


def load(folder: Path, cache: Path) -> Any:
    """What a program of its own finds in a release folder."""
    program = [sys.executable, str(REPOSITORY / "tests" / "exports" / "loading.py"), str(folder), str(cache)]
    ran = subprocess.run(
        program, capture_output=True, text=True, env={"LOADING": "--records", "HOME": str(cache)}, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


def check(release: Release, found: Any) -> None:
    sources = {source["slug"]: source["records"] for source in release.sources}
    assert found["configs"] == ["all", *sources]
    assert {name: sum(said["splits"].values()) for name, said in found["loaded"].items()} == {
        "all": release.records,
        **sources,
    }
    assert sum(found["default"].values()) == release.records
    assert found["croissant"]["errors"] == found["croissant"]["warnings"] == []
    for said in found["loaded"].values():
        assert list(said["features"]) == [
            *("instruction", "input", "output", "task_type", "domain", "metadata", "answer_from"),
            *("human_verified", "copyright"),
        ]
        assert said["features"]["domain"] == "List(Value('string'))"


def test_every_configuration_loads(approved: Approved, release_root: Path, tmp_path: Path) -> None:
    """Also that of a source whose lists are all empty."""
    approved(3)
    approved([candidate(major=(), minor=(), domain=()) for _ in range(2)], source="mba", licence="MIT")
    release = built("v1.2", formats=("cqia", "alpaca", "sharegpt", "messages", "parquet"))
    found = load(release_root / "v1.2", tmp_path / "cache")
    check(release, found)
    assert found["licences"] == ["cc-by-4.0", "mit"]
    assert found["first"]["train"]["task_type"] == {"major": [], "minor": []}
    assert found["croissant"]["rows"] == {"mba": 2, "ruozhiba": 3}


@pytest.mark.parametrize("compress", [None, "gzip", "zstd"])
def test_splits_and_shards_load(approved: Approved, release_root: Path, tmp_path: Path, compress: str | None) -> None:
    approved(12)
    release = built(splits=splits("train=0.5,validation=0.5"), shard_size=2, compress=compress)
    found = load(release_root / "v1", tmp_path / "cache")
    check(release, found)
    assert set(found["default"]) == {"train", "validation"}


def test_registry_of_llama_factory_has_its_form(approved: Approved, release_root: Path) -> None:
    approved(2)
    built(formats=("cqia", "alpaca", "sharegpt", "messages", "parquet"))
    said = json.loads((release_root / "v1" / "dataset_info.json").read_text())
    assert said["cqia-v1-ruozhiba"] == {
        "file_name": "data/ruozhiba.jsonl",
        "columns": {"prompt": "instruction", "query": "input", "response": "output"},
    }
    assert said["cqia-v1-ruozhiba-messages"]["tags"]["user_tag"] == "user"
    assert said["cqia-v1-ruozhiba-sharegpt"]["columns"] == {"messages": "conversations"}
    assert {entry["file_name"].partition("/")[0] for entry in said.values()} == {
        *("data", "alpaca", "sharegpt", "messages")
    }


def test_registry_of_llama_factory_has_the_form_of_the_real_one(
    approved: Approved, release_root: Path, shared_data: Path
) -> None:
    """No key that the real registry does not know, and none of another type."""
    real = json.loads((shared_data / "raw" / "llamafactory_dataset_info.json").read_text())
    known = {key: type(value) for entry in real.values() for key, value in entry.items()}
    columns = {key for entry in real.values() for key in entry.get("columns", {})}
    tags = {key for entry in real.values() for key in entry.get("tags", {})}
    approved(2)
    built(formats=("cqia", "alpaca", "sharegpt", "messages"))
    for entry in json.loads((release_root / "v1" / "dataset_info.json").read_text()).values():
        assert {key: type(value) for key, value in entry.items()}.items() <= known.items()
        assert set(entry["columns"]) <= columns | {"prompt", "query", "response"}
        assert set(entry.get("tags", {})) <= tags | {"system_tag"}


FILES = {
    "100poison": "100poison",
    "ruozhiba": "ruozhiba",
    "law_gee": "law-gee",
    "segmentfault": "segmentfault",
    "xhs": "xiaohongshu",
    "zhihu_8.0-8.5": "zhihu",
    "translate_classical": "classical-translation",
    "bkmy_symptom": "medical-encyclopedia",
    "10why": "encyclopedia-articles",
    "baobao": "mba",
}
"""The upstream files, and the sources of ours that take them."""


def test_release_of_all_upstream_files_loads(shared_data: Path, lin: User, release_root: Path, tmp_path: Path) -> None:
    """Every configuration, in every form; Parquet and JSONL hold equal rows, and every line is verified again."""
    for path in sorted((shared_data / "finished").glob("*.jsonl")):
        run("ingest", path, "--source", FILES[path.stem], "--licence", "CC-BY-4.0", "--holder", "某人")
    approve_waiting(lin)
    release = built("v1", formats=("cqia", "alpaca", "sharegpt", "messages", "parquet"))
    assert release.records > 8000
    assert check_folder(release_root / "v1").problems == []
    check(release, load(release_root / "v1", tmp_path / "cache"))

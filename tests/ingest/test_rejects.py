"""The rejects file: complete, readable, whole."""

import base64
from pathlib import Path

import orjson
import pytest

from ingest import rejects
from ingest.document import RAW_KEPT_BYTES
from tests.ingest.faulty_lines import good_lines, line, record
from tests.ingest.importing import imported, submitted

pytestmark = [pytest.mark.django_db, pytest.mark.core]


def test_nothing_refused_no_file() -> None:
    job = imported(good_lines(1)[0])
    assert rejects.write(job) is None
    assert not job.folder.exists()


def test_entries_say_where_and_why_and_hold_the_record(uploads: Path) -> None:
    long = line(record(1) | {"instruction": None, "output": "长" * RAW_KEPT_BYTES})
    damaged = line(record(2)).replace("答".encode(), b"\xff") + b"\xff"
    job = imported(good_lines(1)[0] + b"\n[]\n", long + b"\n" + damaged + b"\n")
    assert job.rejects_path == uploads / f"job-{job.pk}" / "rejects.jsonl"
    scalar, cut, bytes_ = [orjson.loads(each) for each in job.rejects_path.read_bytes().split(b"\n")[:-1]]
    assert list(scalar) == ["file", "line", "offset", "code", "pointer", "message", "raw", "cut"]
    assert (scalar["file"], scalar["line"], scalar["code"], scalar["raw"]) == ("a.jsonl", 2, "not_an_object", "[]")
    assert (cut["file"], cut["line"], cut["pointer"], cut["cut"]) == ("b.jsonl", 1, "/instruction", True)
    assert long.decode().startswith(cut["raw"])
    assert RAW_KEPT_BYTES - 4 < len(cut["raw"].encode()) <= RAW_KEPT_BYTES
    assert (bytes_["code"], base64.b64decode(bytes_["raw_base64"])) == ("not_utf8", damaged)
    assert [path.name for path in job.folder.iterdir()] == ["rejects.jsonl"]


def test_file_is_made_anew_when_the_end_of_a_job_is_repeated() -> None:
    job = imported(line(record(1) | {"instruction": None}))
    before = job.rejects_path.read_bytes()
    job.rejects_path.with_suffix(".part").write_bytes(b"left by a killed worker")
    assert rejects.write(job) == job.rejects_path
    assert job.rejects_path.read_bytes() == before


def test_path_is_known_before_the_file_is_there() -> None:
    assert not submitted(b"[]").rejects_path.exists()

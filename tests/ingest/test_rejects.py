"""The rejects file: complete, readable, whole."""

import base64
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from ingest import rejects
from ingest.document import RAW_KEPT_BYTES
from review.text.strict import MAX_LINE_BYTES
from tests.ingest.faulty_lines import good_lines, line, record
from tests.ingest.importing import counts, imported, submitted

pytestmark = [pytest.mark.django_db, pytest.mark.core]


def test_nothing_refused_no_file() -> None:
    job = imported(good_lines(1)[0])
    assert rejects.write(job) is None
    assert not job.folder.exists()


def test_entries_say_where_and_why_and_hold_the_record(uploads: Path) -> None:
    long = line(record(1) | {"instruction": None, "output": "长" * MAX_LINE_BYTES})
    damaged = line(record(2)).replace("答".encode(), b"\xff") + b"\xff"
    job = imported(good_lines(1)[0] + b"\n[]\n", long + b"\n" + damaged + b"\n")
    assert job.rejects_path == uploads / f"job-{job.pk}" / "rejects.jsonl"
    scalar, cut, bytes_ = [orjson.loads(each) for each in job.rejects_path.read_bytes().split(b"\n")[:-1]]
    assert list(scalar) == ["file", "line", "offset", "code", "pointer", "message", "format", "container", "raw", "cut"]
    assert (scalar["file"], scalar["line"], scalar["code"], scalar["raw"]) == ("a.jsonl", 2, "not_an_object", "[]")
    assert (cut["file"], cut["line"], cut["code"], cut["cut"]) == ("b.jsonl", 1, "line_too_long", True)
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


MENDED: dict[str, tuple[bytes, Callable[[str], str]]] = {
    "jsonl": (
        b'{"instruction": "\xe9\x97\xae\xe4\xb8\x80", "output": "a"}\n{"instruction": "", "output": "b"}\n',
        lambda raw: raw.replace('"instruction": ""', '"instruction": "问二"'),
    ),
    "array": (
        b'[{"instruction": "q1", "output": "a"}, {"instruction": null, "output": "b"}]',
        lambda raw: raw.replace("null", '"q2"'),
    ),
    "csv": (
        '问题,答案\n甲,乙\n丙,丁,多了\n"没有\n关上,戊\n'.encode("gb18030"),
        lambda raw: raw.replace(",多了", "").replace('"没有', "没有,己").replace("关上,戊", "关上,庚"),
    ),
    "blocks": (
        "a\n题一\n哪个？\nA.一\nB.二\n\nz\n题二\n哪个？\nA.一\nB.二\n".encode(),
        lambda raw: raw.replace("z\n", "b\n"),
    ),
}


@pytest.mark.parametrize("name", MENDED)
def test_rejects_that_come_back_mended_are_all_in(name: str) -> None:
    data, mend = MENDED[name]
    encoding = "gb18030" if name == "csv" else ""
    job = imported(data, encoding=encoding)
    assert job.state == "done", job.error
    refused = counts(job)["rejected"]
    assert refused
    entries = [orjson.loads(each) for each in job.rejects_path.read_bytes().splitlines()]
    same = imported(job.rejects_path.read_bytes())
    assert counts(same) == {"read": refused, "rejected": refused}
    again = [orjson.loads(each) for each in same.rejects_path.read_bytes().splitlines()]
    assert [entry["raw"] for entry in again] == [entry["raw"] for entry in entries]
    mended = b"\n".join(orjson.dumps(entry | {"raw": mend(entry["raw"])}) for entry in again)
    assert counts(imported(mended)) == {"read": refused, "new": refused}


def test_a_mended_record_may_be_an_object_and_must_be_whole() -> None:
    entry = {"code": "x", "message": "", "offset": 0, "cut": False, "raw": {"instruction": "问", "output": "答"}}
    job = imported(orjson.dumps(entry))
    assert counts(job) == {"read": 1, "new": 1}
    job = imported(orjson.dumps(entry | {"raw": "{", "cut": True}), orjson.dumps(entry | {"raw": None}))
    assert [reject.code for chunk in job.chunks.all() for reject in chunk.rejects.all()] == ["not_mended"] * 2

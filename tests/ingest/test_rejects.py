"""The rejects file: complete, readable, whole."""

import base64
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from pytest_django.fixtures import Settings

from ingest import jobs, mapping, pipeline, rejects
from ingest.document import RAW_KEPT_BYTES
from ingest.models import Job, Reject
from review.models import Record
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


def returned(job: Job, mend: Callable[[str], str]) -> bytes:
    """The rejects file of a job, each of its records mended."""
    entries = [orjson.loads(each) for each in job.rejects_path.read_bytes().splitlines()]
    return b"\n".join(orjson.dumps(entry | {"raw": mend(entry["raw"])}) for entry in entries)


def test_rejects_of_several_formats_come_back_each_in_its_own() -> None:
    job = imported(
        b'{"instruction": "q1", "output": "a"}\n{"instruction": null, "output": "b"}\n',
        b'{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}\n'
        b'{"messages": null}\n',
        "问题,答案\n甲,乙\n丙,丁,多了\n".encode(),
    )
    assert counts(job) == {"read": 6, "new": 3, "rejected": 3}
    again = imported(returned(job, lambda raw: raw))
    assert [orjson.loads(each)["format"] for each in again.rejects_path.read_bytes().splitlines()] == [
        "alpaca",
        "messages",
        "qa",
    ]
    turns = '[{"role": "user", "content": "q2"}, {"role": "assistant", "content": "a2"}]'
    mended = returned(
        again, lambda raw: raw.replace('s": null', f's": {turns}').replace("null", '"q3"').replace(",多了", "")
    )
    assert counts(imported(mended)) == {"read": 3, "new": 3}
    assert set(Record.objects.values_list("revision__instruction", flat=True)) >= {"q2", "q3", "丙"}


def test_rejects_of_a_mapped_import_come_back_through_the_same_mapping() -> None:
    spec = {"instruction": {"join": ["title", "about.more"]}, "output": "said", "domain": {"constant": "医疗"}}
    good, bad = ({"title": title, "about": {"more": "细节"}, "said": "答"} for title in ("一", ["二"]))
    job = imported(orjson.dumps(good) + b"\n" + orjson.dumps(bad), mapping=mapping.parsed(spec))
    assert counts(job) == {"read": 2, "new": 1, "rejected": 1}
    mended = returned(job, lambda raw: raw.replace('{"more"', '{"less": 0, "more"').replace('["二"]', '{"a": 1}'))
    job = imported(mended)
    assert counts(job) == {"read": 1, "rejected": 1}
    mended = returned(job, lambda raw: raw.replace('{"a":1}', '"二"').replace('{"a": 1}', '"二"'))
    assert counts(imported(mended)) == {"read": 1, "new": 1}
    made = Record.objects.order_by("pk").last()
    assert made
    assert (made.revision.instruction, made.revision.domain) == ("二\n细节", ["医疗"])


@pytest.mark.parametrize("spec", [{"nothing": "x"}, ["instruction"], "title", {"instruction": {"join": 1}}])
def test_a_line_whose_mapping_was_spoilt_is_refused_alone(spec: object) -> None:
    lines = [{"instruction": "问", "output": "答"}, {"instruction": "问二", "output": "答"}]
    entries = [
        {"code": "x", "message": "", "offset": 0, "cut": False, "raw": orjson.dumps(each).decode()} for each in lines
    ]
    job = imported(orjson.dumps(entries[0] | {"mapping": spec}) + b"\n" + orjson.dumps(entries[1]))
    assert counts(job) == {"read": 2, "new": 1, "rejected": 1}
    (reject,) = Reject.objects.filter(chunk__job=job)
    assert (reject.code, reject.pointer) == ("bad_mapping", "/mapping")
    assert "mapping" in reject.message or "映射" in reject.message


def test_a_first_line_that_is_not_mended_does_not_hinder_the_others() -> None:
    job = imported(line(record(1)).replace(b"1", b"\x00", 1) + b"\n" + line(record(2) | {"instruction": None}))
    assert counts(job) == {"read": 2, "rejected": 2}
    mended = returned(job, lambda raw: raw.replace("null", '"问二"'))
    job = imported(mended)
    assert counts(job) == {"read": 2, "new": 1, "rejected": 1}
    (left,) = map(orjson.loads, job.rejects_path.read_bytes().splitlines())
    assert (left["code"], "\x00" in left["raw"], "code" in left["raw"]) == ("nul", True, False)


def test_the_file_of_a_job_that_went_on_holds_what_came_since(settings: Settings) -> None:
    settings.INGEST_CHUNK_RECORDS = 1
    job = submitted(b"\n".join(line(record(number) | {"instruction": None}) for number in range(3)))
    for number in (1, 2):
        pipeline.run(job.pk, should_stop=lambda: True)
        jobs.cancel(job, by=None)
        path = rejects.at_hand(job)
        assert path
        assert len(path.read_bytes().splitlines()) == number
        jobs.resume(job, by=None, tell_workers=False)

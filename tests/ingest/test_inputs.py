"""Bad files, one test each, by their numbers in the list of inputs that an import must stand."""

import codecs
import gzip
import io
import json
import struct
import tarfile
import zipfile
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard
from django.urls import reverse

from ingest import jobs, pipeline
from ingest.models import Job, Reject
from review.models import Original, Record, Source, User
from review.text.strict import MAX_FIELD_CHARACTERS, MAX_LINE_BYTES
from tests.ingest.faulty_lines import good_lines, line, record
from tests.ingest.importing import counts, imported
from tests.ingest.pages import signed_in, text
from tests.ingest.test_readers import peak_memory

pytestmark = pytest.mark.django_db

GOOD = b"\n".join(good_lines(3)) + b"\n"
MEGABYTE = 1 << 20


def raw(**others: str) -> bytes:
    """A line with a field of which the value stands as it is given."""
    fields = line(record(7)).decode()
    for name, value in others.items():
        fields = fields[:-1] + f', "{name}": {value}}}'
    return fields.encode()


def refused_one(wrong: bytes, *, good: bytes = GOOD) -> Reject:
    """The one refusal of a file in which the line stands between good ones, which all go in."""
    job = imported(good + wrong + b"\n" + good_lines(9)[8])
    assert counts(job) == {"read": 5, "new": 4, "rejected": 1}
    (reject,) = Reject.objects.filter(chunk__job=job)
    assert (reject.line, reject.offset) == (4, len(good))
    entry = orjson.loads(job.rejects_path.read_bytes())
    assert (entry["line"], entry["offset"], entry["code"]) == (reject.line, reject.offset, reject.code)
    assert entry["message"]
    return reject


def failed(data: bytes, **asked: Any) -> Job:
    """The job of a file that is refused whole; nothing of it is in."""
    job = imported(data, **asked)
    assert (job.state, counts(job)) == (Job.State.FAILED, {})
    assert job.error
    assert not Record.objects.exists()
    return job


def test_input_01_empty_file() -> None:
    job = imported(b"")
    assert (job.state, counts(job)) == (Job.State.DONE, {})


def test_input_02_only_a_byte_order_mark() -> None:
    job = imported(codecs.BOM_UTF8)
    assert (job.state, counts(job)) == (Job.State.DONE, {})


def test_input_03_byte_order_mark_before_records() -> None:
    assert counts(imported(codecs.BOM_UTF8 + GOOD)) == {"read": 3, "new": 3}


def test_input_04_two_byte_order_marks() -> None:
    job = imported(codecs.BOM_UTF8 * 2 + GOOD)
    assert counts(job) == {"read": 3, "new": 2, "rejected": 1}
    assert Reject.objects.get().code == "byte_order_mark"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_input_05_utf_16(encoding: str) -> None:
    data = ("\ufeff" + GOOD.decode()).encode(encoding)
    assert "--encoding utf-16" in failed(data).error
    assert counts(imported(data, encoding="utf-16")) == {"read": 3, "new": 3}


def test_input_06_gb18030_as_utf_8() -> None:
    job = failed(GOOD.decode().encode("gb18030"))
    assert job.error_code == "not_utf8"
    assert job.error_parameters["guess"] == "gb18030"
    assert (job.error_parameters["line"], job.error_parameters["byte"]) == (1, GOOD.index("第".encode()))


def test_input_06_one_line_in_a_hundred_decides() -> None:
    foreign = line(record(5)).decode().encode("gb18030")
    few = b"\n".join([*good_lines(198), foreign])
    assert counts(imported(few)) == {"read": 199, "new": 198, "rejected": 1}
    assert imported(b"\n".join([*good_lines(90), foreign])).state == Job.State.FAILED


def test_input_07_big5() -> None:
    pair = {"instruction": "這是什麼？為什麼說學習的時候要過來？", "output": "這是一個說明，請過來學習。"}
    job = failed((json.dumps(pair, ensure_ascii=False) + "\n").encode("big5") * 3)
    assert job.error_parameters["guess"] == "big5"


def test_input_08_a_few_lines_in_another_encoding() -> None:
    foreign = line(record(5)).decode().encode("gb18030")
    job = imported(b"\n".join([*good_lines(400), foreign, *good_lines(3)]))
    assert counts(job) == {"read": 404, "new": 400, "duplicate": 3, "rejected": 1}


def test_input_09_mojibake_is_taken_in() -> None:
    spoiled = "这句话是用错误的编码读出来的，看起来很奇怪。".encode().decode("gb18030", "replace")
    assert counts(imported(line({"instruction": "看", "output": spoiled}))) == {"read": 1, "new": 1}
    assert Record.objects.get().revision.output == spoiled


def test_input_10_replacement_character_is_taken_in() -> None:
    assert counts(imported(line({"instruction": "坏\ufffd字", "output": "答"}))) == {"read": 1, "new": 1}


@pytest.mark.parametrize(
    ("written", "code"),
    [
        pytest.param(b"a\\u0000b", "nul", id="11 escaped NUL"),
        pytest.param(b"a\x00b", "nul", id="12 raw NUL"),
        pytest.param(b"a\\ud800b", "lone_surrogate", id="13 lone surrogate"),
        pytest.param(b"\xed\xa0\x81\xed\xb0\x80", "cesu_8", id="14 CESU-8"),
    ],
)
def test_inputs_11_12_13_14_characters_that_cannot_be_stored(written: bytes, code: str) -> None:
    wrong = line(record(7) | {"input": "@@"}).replace(b"@@", written)
    assert refused_one(wrong).code == code


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_input_15_numbers_that_are_not_finite(number: str) -> None:
    assert refused_one(raw(score=number)).code == "not_finite"


def test_input_16_keys_given_twice() -> None:
    assert refused_one(raw(instruction='"另一个"')).code == "duplicate_key"


def test_input_17_integer_of_thirty_digits_is_kept_exactly() -> None:
    digits = "123456789012345678901234567890"
    wrong = raw(number=digits)
    assert counts(imported(wrong)) == {"read": 1, "new": 1}
    assert digits.encode() in bytes(Original.objects.get().raw)


def test_input_18_depth_of_a_hundred_thousand() -> None:
    assert refused_one(raw(deep="[" * 100_000 + "]" * 100_000)).code == "too_deep"


@pytest.mark.parametrize(
    ("size", "end"),
    [pytest.param(50, b"\n", id="19 a line of 50 MB"), pytest.param(100, b"", id="20 100 MB without a line feed")],
)
def test_input_19_20_cost_no_memory_and_no_neighbours(size: int, end: bytes) -> None:
    pair = b'{"instruction": "q%d", "output": "a"}\n'
    behind = [end, pair % 2] if end else []
    found, peak = peak_memory(
        pair % 1, b'{"instruction": "', chain(repeat(b"x" * MEGABYTE, size), behind), container="jsonl"
    )
    assert found == ["q1", "line_too_long", *(["q2"] if end else [])]
    assert peak < 20 * MEGABYTE


def test_input_19_in_a_job() -> None:
    long = line({"instruction": "长" * (MAX_LINE_BYTES // 3 + 10), "output": ""})
    reject = refused_one(long)
    assert (reject.code, reject.is_cut) == ("line_too_long", True)


def test_input_21_only_line_feeds_end_lines() -> None:
    inside = line({"instruction": "一\u2028二\u0085三", "output": "四\u2029五"})
    job = imported(b"\r\n".join([inside, *good_lines(2), b"{"]) + b"\r\n")
    assert counts(job) == {"read": 4, "new": 3, "rejected": 1}
    assert Reject.objects.get().line == 4


def test_input_21_a_lone_carriage_return_ends_no_line() -> None:
    assert refused_one(line(record(7)) + b"\r" + line(record(8))).code == "more_than_one"


def test_input_22_commas_and_two_objects() -> None:
    assert refused_one(line(record(7))[:-1] + b",}").code == "trailing_comma"


def test_input_22_two_objects_on_a_line() -> None:
    assert refused_one(line(record(7)) + line(record(8))).code == "more_than_one"


def test_input_22_an_array_is_a_format_of_its_own() -> None:
    job = imported(b"[" + b",".join(good_lines(3)) + b"]")
    assert counts(job) == {"read": 3, "new": 3}
    assert job.uploads.get().container == "array"


@pytest.mark.parametrize(("ending", "pack"), [("gz", gzip.compress), ("zst", zstandard.compress)])
def test_input_23_bombs_are_stopped(ending: str, pack: Any, uploads: Path) -> None:
    job = imported(pack(GOOD + b"0" * (200 * MEGABYTE)))
    assert (job.state, job.error_code) == (Job.State.FAILED, "archive_too_large")
    assert counts(job) == {"read": 3, "new": 3}
    assert sum(file.stat().st_size for file in uploads.rglob("*") if file.is_file()) < MEGABYTE


@pytest.mark.parametrize(("ending", "pack"), [("gz", gzip.compress), ("zst", zstandard.compress)])
def test_input_24_what_stands_before_a_cut_is_kept(ending: str, pack: Any) -> None:
    packed = pack(b"\n".join(good_lines(5000)))
    job = imported(packed[: len(packed) // 2])
    found = counts(job)
    assert (job.state, job.error_code) == (Job.State.FAILED, "archive_cut_off")
    assert 0 < found["read"] == found["new"] < 5000
    assert Record.objects.count() == found["new"]


def test_input_25_archives_are_refused() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../../x", GOOD)
    assert "ZIP" in failed(packed.getvalue()).error


def test_input_25_links_and_many_members() -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        for number in range(1000):
            archive.addfile(tarfile.TarInfo(f"member{number}"))
    assert "tar" in failed(packed.getvalue()).error


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n" + b"\x00" * 100,
        b"<!DOCTYPE html><html><body>{}</body></html>",
        b"\x7fELF" + struct.pack("<12B", *range(12)),
    ],
)
def test_input_26_other_files_under_our_name(data: bytes) -> None:
    assert failed(data).error_code == "not_text"


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "a\r\nSet-Cookie:x", "字" * 300, "CON", "\u202egpj.jsonl", "<b>.jsonl"]
)
def test_input_27_names_of_files(name: str, gao: User, uploads: Path) -> None:
    source = Source.objects.get(slug="ruozhiba")
    job = jobs.submit(source=source, files=[(name, io.BytesIO(GOOD + b"[]\n"))], by=None, tell_workers=False)
    pipeline.run(job.pk)
    upload = job.uploads.get()
    assert upload.path.parent == uploads
    assert upload.path.name == upload.stored_as.hex
    assert upload.name.isprintable()
    assert "/" not in upload.name
    client = signed_in(gao)
    page = text(client.get(reverse("ingest:job", args=[job.pk])))
    assert "<b>.jsonl" not in page
    assert "\u202e" not in page
    answer = client.get(reverse("ingest:job-rejects", args=[job.pk]))
    assert answer.headers["Content-Disposition"] == f'attachment; filename="rejects-{job.pk}.jsonl"'
    answer.close()


def test_input_28_the_same_file_twice() -> None:
    imported(GOOD)
    before = [model.objects.count() for model in (Record, Original)]
    assert counts(imported(GOOD)) == {"read": 3, "unchanged": 3}
    assert [model.objects.count() for model in (Record, Original)] == before


@pytest.mark.parametrize(
    ("field", "value", "pointer"),
    [
        ("instruction", [], "/instruction"),
        ("instruction", None, "/instruction"),
        ("output", 7, "/output"),
        ("task_type", [], "/task_type"),
        ("domain", ["语文", 7], "/domain/1"),
        ("human_verified", "yes", "/human_verified"),
    ],
)
def test_input_29_wrong_types(field: str, value: object, pointer: str) -> None:
    reject = refused_one(line(record(7) | {field: value}))
    assert (reject.code, reject.pointer) == ("wrong_type", pointer)


def test_input_30_instruction_of_two_megabytes(gao: User) -> None:
    assert refused_one(line(record(7) | {"instruction": "长" * (2 * MEGABYTE // 3)})).code == "line_too_long"


def test_input_30_instruction_beyond_the_limit_of_a_field() -> None:
    reject = refused_one(line(record(7) | {"instruction": "a" * (MAX_FIELD_CHARACTERS + 1)}))
    assert (reject.code, reject.pointer) == ("field_too_long", "/instruction")

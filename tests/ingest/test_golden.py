"""Raw material of every format becomes what it should; and the real files become candidates, none lost."""

import gzip
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from pytest_django.fixtures import Settings

from ingest import pipeline
from ingest.document import Document, Refusal, Unreadable
from ingest.readers import READERS, recognise
from review import retractions
from review.models import Record, Source, State
from tests.ingest.faulty_lines import good_lines
from tests.ingest.golden import GOLDEN, Golden, Made
from tests.ingest.importing import counts, fresh, imported, submitted

REAL = {
    "zhihu_answers.jsonl": ("answers", "zhihu", 241),
    "tieba_threads.json": ("threads", "ruozhiba", 2597),
    "medical_qa_gb18030.csv": ("qa", "medical-encyclopedia", 7644),
    "gaokao_history.json": ("exam", "gaokao", 287),
    "law_exam.jsonl": ("options", "law-gee", 1000),
    "logic_8line.txt": ("blocks", "logi-qa", 651),
    "classical_modern_pairs.txt": ("parallel", "classical-translation", 1318),
    "tang_poems_traditional.json": ("poems", "poem", 1000),
    "douban_top250.json": ("entries", "douban", 250),
    "cvalues_prompts.jsonl": ("prompts", "100poison", 664),
    "medical_sharegpt.jsonl": ("sharegpt", "medical-articles", 1000),
    "alpaca_zh.json": ("alpaca", "finance-nlp", 1000),
}
"""The format, a source and the number of records of every real file that holds text."""
REFUSED = {"zhihu_answers.jsonl": Counter({"empty": 1})}
"""One answer is a video and holds no text."""


def as_bytes(golden: Golden) -> bytes:
    if isinstance(golden.raw, str):
        return golden.raw.encode()
    return b"".join(json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in golden.raw)


def read(data: bytes, name: str, **options: Any) -> list[Document | Refusal]:
    return list(READERS[name].read(io.BytesIO(data), **options))


def assert_made(found: Document | Refusal, made: Made) -> None:
    if isinstance(found, Refusal):
        assert (found.code, found.pointer) == made[:2], found.message("en")
        return
    assert (found.instruction, found.output) == made[:2]
    assert {name: getattr(found, name) for name in made.others} == made.others


def test_every_format_has_its_samples() -> None:
    assert set(GOLDEN) == set(READERS)
    assert {len(golden.made) for golden in GOLDEN.values()} == {5}


@pytest.mark.parametrize("name", GOLDEN)
def test_raw_material_becomes_what_it_should(name: str, tmp_path: Path) -> None:
    golden = GOLDEN[name]
    file = tmp_path / "raw"
    file.write_bytes(as_bytes(golden))
    recognised = recognise(file)
    assert (recognised.format, recognised.container) == (name, golden.container)
    found = read(as_bytes(golden), name, container=golden.container)
    for each, made in zip(found, golden.made, strict=True):
        assert_made(each, made)


@pytest.mark.parametrize("name", GOLDEN)
def test_reading_resumes_behind_every_record(name: str) -> None:
    golden = GOLDEN[name]
    data, found = as_bytes(golden), read(as_bytes(golden), name, container=golden.container)
    packed = {"gz": gzip.compress(data), "zst": zstandard.compress(data)}
    for position, each in enumerate(found):
        rest = {"offset": each.end, "line": each.line}
        assert read(data, name, container=golden.container, **rest) == found[position + 1 :]
        for ending, bytes_packed in packed.items():
            container = f"{golden.container}.{ending}"
            assert read(bytes_packed, name, container=container, **rest) == found[position + 1 :]


@pytest.mark.parametrize("name", GOLDEN)
def test_a_declared_encoding_makes_no_difference(name: str) -> None:
    golden = GOLDEN[name]
    plain = read(as_bytes(golden), name, container=golden.container)
    for encoding in ("gb18030", "utf-16"):
        data = as_bytes(golden).decode().encode(encoding)
        found = read(data, name, container=golden.container, encoding=encoding)
        assert [each._replace(offset=0, end=0, raw=b"") for each in found if isinstance(each, Document)] == [
            each._replace(offset=0, end=0, raw=b"") for each in plain if isinstance(each, Document)
        ]
        assert [each.code for each in found if isinstance(each, Refusal)] == [
            each.code for each in plain if isinstance(each, Refusal)
        ]
        last = found[-2]
        rest = read(data, name, container=golden.container, encoding=encoding, offset=last.end, line=last.line)
        assert rest == found[-1:]


@pytest.mark.parametrize("name", ["cqia", "alpaca", "sharegpt", "messages", "poems", "prompts", "answers"])
def test_parquet_is_read_like_jsonl(name: str, tmp_path: Path) -> None:
    golden = GOLDEN[name]
    assert isinstance(golden.raw, list)
    file = tmp_path / "a.parquet"
    rows = golden.raw[:1] if name == "messages" else golden.raw[:4]
    columns = dict.fromkeys(key for row in rows for key in row)
    pq.write_table(pa.Table.from_pylist([columns | row for row in rows]), file, row_group_size=2)
    recognised = recognise(file)
    assert (recognised.format, recognised.container) == (name, "parquet")
    with file.open("rb") as stream:
        found = list(READERS[name].read(stream, container="parquet"))
    if name != "alpaca":  # whose rows all have the columns of each
        for each, made in zip(found, golden.made, strict=False):
            assert_made(each, made)
    for position, each in enumerate(found):
        with file.open("rb") as stream:
            rest = READERS[name].read(stream, container="parquet", offset=each.end, line=each.line)
            assert list(rest) == found[position + 1 :]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", GOLDEN)
def test_a_job_needs_no_more_than_file_and_source(name: str) -> None:
    job = imported(as_bytes(GOLDEN[name]), source="logi-qa")
    assert job.state == "done", job.error
    assert counts(job)["read"] == 5


def _in_parquet(data: bytes) -> bytes:
    rows = [json.loads(each) for each in data.split(b"\n") if each]
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), file, row_group_size=3)
    return file.getvalue()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("form", ["jsonl", "gz", "zst", "parquet", "csv", "blocks", "object"])
def test_a_job_that_is_interrupted_after_every_chunk_ends_like_another(form: str, settings: Settings) -> None:
    settings.INGEST_CHUNK_RECORDS = 2
    lines = b"\n".join(good_lines(9))
    data = {
        "jsonl": lines,
        "gz": gzip.compress(lines),
        "zst": zstandard.compress(lines),
        "parquet": _in_parquet(lines),
        "csv": as_bytes(GOLDEN["choices"]),
        "blocks": as_bytes(GOLDEN["blocks"]),
        "object": as_bytes(GOLDEN["exam"]),
    }[form]
    job = submitted(data, source="logi-qa")
    runs = 1
    while pipeline.run(job.pk, should_stop=lambda: True) == pipeline.Outcome.INTERRUPTED:
        runs += 1
    found = counts(job)
    assert runs > 2
    assert found["read"] == (5 if form in {"csv", "blocks", "object"} else 9)
    stored = sorted(Record.objects.values_list("key", "originals__line", "originals__offset"))
    retractions.retract(fresh(job).batch, by=None, reason="")
    settings.INGEST_CHUNK_RECORDS = 1000
    again = imported(data, source="logi-qa")
    assert counts(again) == found
    live = Record.objects.filter(retraction=None)
    assert sorted(live.values_list("key", "originals__line", "originals__offset")) == stored


@pytest.mark.django_db(transaction=True)
def test_the_kind_of_a_question_is_its_label_beside_the_one_of_the_source() -> None:
    imported(as_bytes(GOLDEN["options"]), source="law-gee")
    imported(as_bytes(GOLDEN["coig-exam"]), source="kaoyan")
    imported(as_bytes(GOLDEN["prompts"]), source="100poison")
    found = {record.revision.instruction: record.revision for record in Record.objects.select_related("revision")}
    one = found["下列哪项是金属?\nA. 木\nB. 铁\nC. 布"]
    assert one.task_type == {"major": ["试题"], "minor": ["法律考研", "单项选择题"]}
    of_several = found["选出偶数（ ）\nA. 1\nB. 2\nC. 4"]
    assert of_several.task_type["minor"] == ["选择题"]
    assert found["邻居太吵怎么办？"].domain == ["人类价值观", "邻里", "neighbours"]
    assert Record.objects.filter(state=State.UNANSWERED).count() == 4


@pytest.mark.django_db(transaction=True)
def test_labels_that_go_together_stand_before_those_of_the_record() -> None:
    imported(as_bytes(GOLDEN["parallel"]), source="classical-translation")
    assert set(_domains()) == {("中国传统文化", "文言文")}
    imported(as_bytes(GOLDEN["prompts"]), source="poem")
    assert ("中国传统文化", "古诗词", "教育") in _domains()
    imported(as_bytes(GOLDEN["exam"]), source="medical-encyclopedia")
    minors = [record.revision.task_type["minor"] for record in Record.objects.select_related("revision")]
    assert ["医药问答", "百科问答", "单项选择题"] in minors
    imported(as_bytes(GOLDEN["threads"]), source="douban")
    assert () in _domains()


def _domains() -> list[tuple[str, ...]]:
    return [tuple(record.revision.domain) for record in Record.objects.select_related("revision")]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", REAL)
def test_real_files_become_candidates(name: str, shared_data: Path) -> None:
    format_name, source, number = REAL[name]
    encoding = "gb18030" if "gb18030" in name else ""
    job = submitted((shared_data / "raw" / name).read_bytes(), source=source, encoding=encoding)
    pipeline.run(job.pk)
    found = counts(job)
    assert job.uploads.get().format == format_name
    assert found["read"] == number
    assert found.get("rejected", 0) == REFUSED.get(name, Counter()).total()
    assert Source.objects.get(slug=source).pk in Record.objects.values_list("source", flat=True)


def test_a_file_of_settings_is_no_raw_material(shared_data: Path) -> None:
    with pytest.raises(Unreadable, match="one_object"):
        recognise(shared_data / "raw" / "llamafactory_dataset_info.json")

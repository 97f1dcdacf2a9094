"""Recognising files: what they are in, and what a person is told about those that cannot be read."""

import gzip
import json
import random
import string
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest

from ingest.document import UNREADABLE, Document, Unreadable
from ingest.readers import READERS, Recognised, first_fields, recognise
from review.text.faults import explain
from tests.ingest.faulty_lines import faulty_lines, good_lines, line, record

PAIR = {"instruction": "这是什么？", "output": "这是一本书。"}
PAIRS = "\n".join(json.dumps(PAIR, ensure_ascii=False) for _ in range(3)) + "\n"
TRADITIONAL = PAIRS.replace("这是什么？", "這是什麼？").replace("这是一本书。", "這是一本書，請過來學習。")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "数据.jsonl"


def found(file: Path, data: bytes, **options: Any) -> Recognised:
    file.write_bytes(data)
    return recognise(file, **options)


def refused(file: Path, data: bytes, **options: Any) -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        found(file, data, **options)
    return caught.value


@pytest.mark.parametrize(
    ("data", "format_name", "container"),
    [
        (line(record(1)), "cqia", "jsonl"),
        (b"\xef\xbb\xbf" + line(record(1)) + b"\r\n", "cqia", "jsonl"),
        (PAIRS.encode(), "alpaca", "jsonl"),
        (b"\n\n" + PAIRS.encode(), "alpaca", "jsonl"),
        (json.dumps([PAIR]).encode(), "alpaca", "array"),
        (json.dumps([record(1), record(2)], indent=4).encode(), "cqia", "array"),
        (b"\xef\xbb\xbf\n [\n" + json.dumps(PAIR).encode(), "alpaca", "array"),
        (b'[{"instruction": "a",}, {"instruction": "b", "output": ""}]', "alpaca", "array"),
        (b'["a line"]\n' + PAIRS.encode(), "alpaca", "jsonl"),
        (b"{'broken'}\nnot json\n\n" + PAIRS.encode(), "alpaca", "jsonl"),
        (b'{"other": 1}\n' + PAIRS.encode(), "alpaca", "jsonl"),
        (b'{"instruction": NaN}', "cqia", "jsonl"),
        (b"\xef\xbb\xbf\xef\xbb\xbf" + line(PAIR), "alpaca", "jsonl"),
        (b"x" * (2 << 20), "cqia", "jsonl"),
    ],
)
def test_recognises_format_and_container(file: Path, data: bytes, format_name: str, container: str) -> None:
    assert found(file, data) == Recognised(format_name, container, "utf-8")


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b"\n \r\n"])
def test_empty_file_is_recognised_as_empty(file: Path, data: bytes) -> None:
    recognised = found(file, data)
    assert recognised.is_empty
    with file.open("rb") as stream:
        assert list(READERS[recognised.format].read(stream, container=recognised.container)) == []
    assert not found(file, b"\n" * (9 << 20) + PAIRS.encode()).is_empty


def test_given_format_is_believed(file: Path) -> None:
    assert found(file, PAIRS.encode(), format="cqia").format == "cqia"
    assert found(file, b'[{"other": 1}]', format="alpaca") == Recognised("alpaca", "array", "utf-8")
    assert refused(file, b"{}", format="nope").code == "unknown_format"


@pytest.mark.parametrize(
    ("text", "encoding"), [(PAIRS, "gb18030"), (TRADITIONAL, "big5"), (TRADITIONAL, "gb18030"), (PAIRS, "gbk")]
)
def test_file_in_another_encoding_is_refused_whole_with_a_guess(file: Path, text: str, encoding: str) -> None:
    guess = "big5" if encoding == "big5" else "gb18030"
    fault = refused(file, b"\n" + text.encode(encoding))
    assert (fault.code, fault.parameters) == ("not_utf8", {"line": 2, "byte": 18, "guess": guess})
    assert f"--encoding {guess}" in fault.message("en")
    assert f"--encoding {guess}" in fault.message("zh-hans")
    assert found(file, text.encode(encoding), encoding=guess) == Recognised("alpaca", "jsonl", guess)


def test_medical_table_is_refused_with_its_encoding(shared_data: Path) -> None:
    with pytest.raises(Unreadable) as caught:
        recognise(shared_data / "raw/medical_qa_gb18030.csv")
    assert (caught.value.code, caught.value.parameters["guess"]) == ("not_utf8", "gb18030")
    assert caught.value.parameters["line"] == 2


def test_real_records_in_another_encoding_are_guessed(shared_data: Path, file: Path) -> None:
    text = (shared_data / "finished/ruozhiba.jsonl").read_text("utf-8")
    assert refused(file, text.encode("gb18030")).parameters["guess"] == "gb18030"
    pairs = json.loads((shared_data / "raw/tang_poems_traditional.json").read_text("utf-8"))
    lines = [
        json.dumps({"instruction": pair["title"], "output": pair["paragraphs"]}, ensure_ascii=False) for pair in pairs
    ]
    assert refused(file, "\n".join(lines).encode("big5", "ignore")).parameters["guess"] == "big5"


@pytest.mark.parametrize(("foreign", "is_refused"), [(9, False), (10, False), (11, True), (500, True)])
def test_more_than_one_line_in_a_hundred_refuses_the_file(file: Path, foreign: int, is_refused: bool) -> None:  # noqa: FBT001
    lines = good_lines(1000)
    lines[500 - foreign // 2 : 500 - foreign // 2 + foreign] = PAIRS.encode("gb18030").split(b"\n")[:1] * foreign
    data = b"\n".join(lines + PAIRS.encode("gb18030").split(b"\n") * 100)
    if is_refused:
        assert refused(file, data).parameters["line"] == 501 - foreign // 2
    else:
        assert found(file, data) == Recognised("cqia", "jsonl", "utf-8")
    assert found(file, data, encoding="utf-8") == Recognised("cqia", "jsonl", "utf-8")


def test_a_line_in_another_encoding_does_not_have_the_others_read_in_it(file: Path) -> None:
    lines = good_lines(20)
    lines[13:13] = PAIRS.encode("gb18030").split(b"\n")[:1]
    fault = refused(file, b"\n".join(lines))
    assert (fault.code, fault.parameters["line"], fault.parameters["number"]) == ("partly_utf8", 14, 1)
    assert (fault.parameters["guess"], fault.parameters["foreign"]) == ("utf-8", "gb18030")
    assert "--encoding utf-8" in fault.message("zh-hans")
    assert found(file, b"\n".join(lines), encoding="utf-8") == Recognised("cqia", "jsonl", "utf-8")


def test_damaged_characters_are_faults_of_their_lines(file: Path) -> None:
    """Half of the lines cut in the middle of a character, or with CESU-8, are still a file of UTF-8."""
    damaged = [each.replace(b"\xe5", b"", 1) for each in good_lines(500)]
    surrogates = ['{"instruction": "\ud83d\ude00", "output": ""}'.encode("utf-8", "surrogatepass")] * 400
    assert found(file, b"\n".join(damaged + good_lines(500))).encoding == "utf-8"
    assert found(file, b"\n".join(surrogates + good_lines(500))).encoding == "utf-8"


def test_faulty_lines_among_good_ones_do_not_refuse_the_file(file: Path) -> None:
    faulty = [wrong for wrong, _ in faulty_lines()]
    mixed = [each for pair in zip(faulty, good_lines(len(faulty)), strict=True) for each in pair]
    assert found(file, b"\n".join(mixed)) == Recognised("cqia", "jsonl", "utf-8")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_wide_encodings_must_be_declared(file: Path, encoding: str, mark: str) -> None:
    data = (PAIRS if encoding in {"utf-16", "utf-32"} else mark + PAIRS).encode(encoding)
    if "32" not in encoding or data.startswith((b"\xff", b"\x00\x00\xfe")):
        fault = refused(file, data)
        assert (fault.code, str(fault.parameters["guess"])[:6]) == ("other_encoding", encoding[:6])
    recognised = found(file, data, encoding=encoding)
    assert (recognised.format, recognised.container) == ("alpaca", "jsonl")
    with file.open("rb") as stream:
        assert len(list(READERS["alpaca"].read(stream, encoding=recognised.encoding))) == 3


def test_wrongly_declared_encoding_is_refused(file: Path) -> None:
    assert refused(file, PAIRS.encode(), encoding="big5").parameters == {"encoding": "big5", "line": 1}
    assert refused(file, PAIRS.encode("gb18030"), encoding="utf-16").code == "no_records"
    assert refused(file, PAIRS.encode(), encoding="utf-32").code == "not_in_encoding"
    assert refused(file, b"{}", encoding="base64").code == "unknown_encoding"
    assert refused(file, b"{}", encoding="no\x00where").code == "unknown_encoding"


def test_text_in_no_known_encoding_is_refused_without_a_guess(file: Path) -> None:
    fault = refused(file, "\n".join(["déjà vu, façade, naïveté"] * 5).encode("latin-1"))
    assert (fault.code, fault.parameters) == ("not_utf8_nor_known", {"line": 1, "byte": 1})
    assert refused(file, random.Random(7).randbytes(100_000)).code == "not_utf8_nor_known"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x89PNG\r\n\x1a\n" + b"\x00" * 50, "not_text"),
        (b"\x7fELF\x02\x01\x01" + b"\x00" * 50, "not_text"),
        (b"%PDF-1.7\n", "not_text"),
        (b"\n<!DOCTYPE html><html>{}</html>", "not_text"),
        (b'<?xml version="1.0"?>', "not_text"),
        (b"PAR1\x15\x04", "damaged"),
        (gzip.compress(gzip.compress(PAIRS.encode(), mtime=0), mtime=0), "compressed"),
        (gzip.compress(b"PAR1" + b"\x00" * 50, mtime=0), "compressed"),
        (gzip.compress(b"\x00" * 257 + b"ustar  ", mtime=0), "compressed"),
        (gzip.compress(b"\x89PNG\r\n\x1a\n", mtime=0), "not_text"),
        (b"\x28\xb5\x2f\xfd\x24\x00", "archive_cut_off"),
        (b"\x1f\x8b\x07\x00no more", "archive_damaged"),
        (b"\xfd7zXZ\x00", "compressed"),
        ("科室,备注\n内科,怎么办\n".encode(), "unknown_shape"),
        ("问题,答案,答案\n甲,乙,丙\n".encode(), "columns_alike"),
        ("今天下雨，明天天晴。\n后天有风。\n".encode(), "no_records"),
        (b"42", "no_records"),
        (b"[1, 2]", "no_records"),
        (b'{"left": "a", "right": "b"}\n{"left": "a"}', "unknown_shape"),
        (b'[{"size": "a"}]', "unknown_shape"),
        (b'{\n  "example": [\n    1, 2\n  ]\n}\n', "one_object"),
    ],
)
def test_other_files_are_refused_whole(file: Path, data: bytes, code: str) -> None:
    fault = refused(file, data)
    assert fault.code == code
    assert fault.message("en") != fault.message("zh-hans")


@pytest.mark.parametrize(
    ("data", "name", "format_name", "container"),
    [
        (",question,answer\n0,问,答\n1,问二,答二\n", "", "qa", "csv"),
        ("question,answer,\n问,答,\n问二,答二,\n", "", "qa", "csv"),
        ("prompt\n写一首诗\n写一封信\n", "", "prompts", "csv"),
        ("prompt\n写一首诗\n", "a.csv", "prompts", "csv"),
        ("question,answer\r问,答\r问二,答二\r", "", "qa", "csv"),
        ("question,answer\n问,答\n问,a,b\n问,c,d\n问,e,f\n", "a.CSV", "qa", "csv"),
        ("question\tanswer\n问\t答\n问\n问\n问\n", "a.tsv.gz", "qa", "tsv"),
    ],
)
def test_tables_are_recognised(file: Path, data: str, name: str, format_name: str, container: str) -> None:
    recognised = found(file, data.encode(), name=name)
    assert recognised == Recognised(format_name, container, "utf-8")
    with file.open("rb") as stream:
        first = next(iter(READERS[format_name].read(stream, container=container)))
    assert isinstance(first, Document)


@pytest.mark.parametrize(("data", "name"), [("question,answer\n", ""), ("甲,乙\r\n\r\n", "a.csv"), ("甲\n", "a.csv")])
def test_a_table_of_names_alone_is_empty(file: Path, data: str, name: str) -> None:
    recognised = found(file, data.encode(), name=name)
    assert (recognised.container, recognised.is_empty) == ("csv", True)
    with file.open("rb") as stream:
        assert list(READERS[recognised.format].read(stream, container="csv")) == []


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("2024 年问答汇总\nquestion,answer\n问,答\n", "no_rows"),
        ("甲,乙,丙\n一,二\n三\n", "no_rows"),
        ("今天下雨，明天天晴。\n后天有风。\n", "unknown_shape"),
        ('"question,answer\n问,答\n', "no_column_names"),
    ],
)
def test_a_table_that_is_not_recognised_is_told_of_tables(file: Path, data: str, code: str) -> None:
    fault = refused(file, data.encode(), name="a.csv")
    assert fault.code == code
    assert "JSON" not in fault.message("en")
    if code != "no_column_names":
        assert found(file, data.encode(), name="a.csv", format="qa").container == "csv"


def test_lines_of_prose_are_no_table(file: Path) -> None:
    for prose in ("今天下雨,明天天晴\n", "今天下雨\n后天有风\n", "a, b, c"):
        assert refused(file, prose.encode()).code == "no_records"


def test_zip_is_refused_whole(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("../../x", PAIRS)
    with pytest.raises(Unreadable, match="compressed"):
        recognise(file)


def test_unknown_shape_names_its_keys(file: Path) -> None:
    fault = refused(file, b'{"size": "a", "\\u001b[0m": "b"}')
    assert fault.parameters == {"keys": r"size, \x1b[0m", "known": ", ".join(READERS)}


def test_what_cannot_be_opened_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="cannot_open"):
        recognise(tmp_path / "nowhere.jsonl")
    with pytest.raises(Unreadable, match="not_a_file"):
        recognise(tmp_path)
    with pytest.raises(Unreadable, match="cannot_open"):
        recognise("a\x00b")


def test_only_the_beginning_of_a_large_file_is_held(file: Path) -> None:
    long_line = ('{"instruction": "' + "文" * (20 << 20) + '"}\n').encode()
    file.write_bytes(long_line + PAIRS.encode())
    tracemalloc.start()
    try:
        assert recognise(file) == Recognised("cqia", "jsonl", "utf-8")
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("code", UNREADABLE)
def test_every_sentence_is_complete_in_both_languages(code: str) -> None:
    fault = UNREADABLE[code]
    names = {name for text in fault for _, name, _, _ in string.Formatter().parse(text) if name}
    english, chinese = (explain(fault, "", dict.fromkeys(names, "x"), language) for language in ("en", "zh-hans"))
    assert english.isascii()
    assert english.endswith((".", ".)"))
    assert chinese.endswith(("。", "）"))


def test_fields_with_text_come_first_and_the_longest_of_them_before_the_others(file: Path) -> None:
    records = [
        {
            "id": f"{number:064}",
            "url": f"https://example.org/{number}" * 9,
            "licence": "本数据仅供研究使用，未经许可不得转载。" * 9,
            "question": {"title": f"第{number}问：云为什么会下雨？", "created": number},
            "lines": ["水汽凝结。", f"这是第{number}个回答，比问题长。"],
            "only": None if number else "只在第一条里",
        }
        for number in range(3)
    ]
    file.write_text("not json\n" + "".join(json.dumps(each) + "\n" for each in records), encoding="utf-8")
    fields = first_fields(file)
    assert [field.name for field in fields if field.characters][:2] == ["lines", "question.title"]
    assert {field.name for field in fields} == {*records[0], "question.title", "question.created"} - {"question"}
    assert fields[1].beginning == "第0问：云为什么会下雨？"


def test_the_text_of_a_single_record_counts(file: Path) -> None:
    file.write_text('{"a": "b", "甲": "云为什么会下雨？"}', encoding="utf-8")
    assert [field.name for field in first_fields(file)] == ["甲", "a"]
    file.write_bytes(b"")
    assert first_fields(file) == []

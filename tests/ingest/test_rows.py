"""Tables of delimited text: what a damaged row costs, and that it costs no more."""

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import jobs, pipeline
from ingest.document import Document, Refusal, Unreadable
from ingest.readers import READERS, rows
from ingest.readers.rows import MAX_ROW_BYTES
from review.models import Source
from tests.ingest.importing import counts, imported
from tests.ingest.test_readers import told


def as_csv(*rows: list[str]) -> bytes:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(rows)
    return file.getvalue().encode()


def read(data: bytes, name: str = "qa", **options: Any) -> list[Document | Refusal]:
    return list(READERS[name].read(io.BytesIO(data), container="csv", **options))


@pytest.mark.django_db
def test_nul_in_a_cell_leaves_the_other_rows_alone() -> None:
    data = "question,A,B,answer\n问题一,甲,乙,A\n问题二,甲,乙,Z\x00\n问题三,甲,乙,B\n".encode()
    assert [each.code for each in read(data, "choices") if isinstance(each, Refusal)] == ["nul"]
    assert counts(imported(data, source="logi-qa")) == {"read": 3, "new": 2, "rejected": 1}


@pytest.mark.django_db
def test_nul_in_the_name_of_a_column_is_told() -> None:
    job = imported("title,body,x\x00y\n标题,正文,abc\n".encode(), source="logi-qa")
    assert (job.state, job.error_code) == ("failed", "nul_in_names")
    with pytest.raises(Unreadable, match="nul_in_names"):
        read(b"question,answer,x\x00y\n")


@pytest.mark.parametrize(
    ("lines", "code"), [(11_666, "field_too_long"), (100_000, "line_too_long"), (300_000, "line_too_long")]
)
def test_a_cell_that_is_too_long_is_refused_as_one(lines: int, code: str) -> None:
    cell = "\n".join("print(a, b)" for _ in range(lines))
    data = as_csv(["question", "answer"], ["写一个程序", cell], ["好的问题", "好的回答"])
    found = read(data)
    assert told(found) == [code, "好的问题"]
    assert [each.line for each in found] == [lines + 1, lines + 2]
    assert read(data, offset=found[0].end, line=found[0].line) == found[1:]


def test_a_quote_that_is_missing_costs_its_line_alone_whatever_follows() -> None:
    rows = [[f"问题{number}", "回答" * 100] for number in range(20_000)]
    data = as_csv(["question", "answer"], *rows).replace("问题7,".encode(), '"问题7,'.encode(), 1)
    assert len(data) > MAX_ROW_BYTES
    found = read(data)
    assert [each.line for each in found if isinstance(each, Refusal)] == [9]
    assert len(found) == len(rows)


@pytest.mark.parametrize("end", ["", '"\n'])
def test_quotes_that_open_again_in_every_line_are_followed_once(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0
    following = rows._Lines.__next__

    def counted(lines: rows._Lines) -> str:
        nonlocal asked
        asked += 1
        return following(lines)

    monkeypatch.setattr(rows._Lines, "__next__", counted)
    good = [[f"问题{number}", f"回答{number}"] for number in range(20)]
    data = as_csv(["question", "answer"], *good) + (',y",z,"w\n' * 3000 + end).encode()
    found = read(data)
    assert told(found)[:20] == [question for question, _ in good]
    assert len(found) >= 3020
    assert asked < (10_000 if not end else 2_000_000)


@given(st.lists(st.sampled_from(["a", ",", '"', "\n", '"b\nc"', "d,e\n", ',y",z,"w\n']), max_size=40))
def test_giving_up_early_changes_nothing(parts: list[str]) -> None:
    data = ("question,answer\n" + "".join(parts)).encode()
    found = read(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows._Lines, "give_up", lambda _lines: None)
        assert read(data) == found


def test_lines_that_carriage_returns_end_are_read_and_resumed() -> None:
    data = "question,answer\r问,答\r\r问二,答,多\r问三,答三".encode()
    found = read(data)
    assert told(found) == ["问", "wrong_columns", "问三"]
    assert [each.line for each in found] == [2, 4, 5]
    for position, each in enumerate(found):
        assert data[each.offset : each.end].rstrip(b"\r") == each.raw
        assert read(data, offset=each.end, line=each.line) == found[position + 1 :]


@pytest.mark.django_db
def test_the_name_of_an_upload_speaks_for_a_table() -> None:
    file = io.BytesIO("question,answer\n问,答\n问,答,多\n问,答,多\n问,答,多\n".encode())
    source = Source.objects.get(slug="logi-qa")
    job = jobs.submit(source=source, files=[("表.csv", file)], by=None, tell_workers=False)
    pipeline.run(job.pk)
    assert counts(job) == {"read": 4, "new": 1, "rejected": 3}

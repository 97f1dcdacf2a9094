"""Tables of delimited text: what a damaged row costs, and that it costs no more."""

import csv
import io
from typing import Any

import pytest

from ingest.document import Document, Refusal, Unreadable
from ingest.readers import READERS
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

"""The lines that leave are, byte for byte, those that Python's own `json` would write."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exports import rows
from exports.models import Release
from exports.rows import FIELDS, frozen_rows, held_back, live_lines
from ingest.document import Document
from review.models import Licence, Record, Revision, User
from review.text.signature import duplicate_key
from tests.exports.conftest import Approved, approve_waiting, cut
from tests.factories import add_records, candidate

pytestmark = [pytest.mark.django_db, pytest.mark.core]

FINISHED = (
    *("100poison", "10why", "baobao", "bkmy_symptom", "law_gee"),
    *("ruozhiba", "segmentfault", "translate_classical", "xhs", "zhihu_8.0-8.5"),
)
CODES = (*range(1, 0x20), 0x22, 0x2F, 0x5C, 0x7F, 0x80, 0x85, 0xA0, 0x2028, 0x2029, 0xFEFF, 0xFFFD, 0x10FFFF)
NASTY = "".join(map(chr, CODES))


def lines_of(release: Release) -> list[bytes]:
    return [row[0] for row in frozen_rows(release.pk, 0, release.records)]


def live() -> list[bytes]:
    streamed = b"".join(live_lines(Record.objects.releasable(Licence.research())))
    assert streamed == b"" or streamed.endswith(b"\n")
    return streamed.split(b"\n")[:-1]


def expected(revision: Revision, said: str) -> bytes:
    value = {
        "instruction": revision.instruction,
        "input": revision.input,
        "output": revision.output,
        "task_type": {"major": revision.task_type["major"], "minor": revision.task_type["minor"]},
        "domain": revision.domain,
        "metadata": revision.metadata,
        "answer_from": revision.answer_from,
        "human_verified": True,
        "copyright": said,
    }
    assert tuple(value) == FIELDS
    return json.dumps(value, ensure_ascii=False).encode()


@pytest.mark.parametrize("code", CODES)
def test_write_character_as_python_does(code: int) -> None:
    text = f"甲{chr(code)}乙"
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_json(%s::text)::text, to_jsonb(%s::text)::text", [text, text])
        written = cursor.fetchone()
    assert written == (json.dumps(text, ensure_ascii=False),) * 2


def test_write_nasty_texts_as_python_does(approved: Approved) -> None:
    fields: dict[str, Any] = {name: f"{name}{NASTY}" for name in ("instruction", "input", "output", "metadata")}
    labels = {name: (f"{name}{NASTY}", "", '"\\') for name in ("major", "minor", "domain")}
    batch = approved([candidate(**fields, **labels)], holder=NASTY)
    assert batch.rights is not None
    wanted = expected(Revision.objects.get(), batch.rights.published_text)
    assert live() == [wanted]
    assert lines_of(cut()) == [wanted]


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
LABELS = st.lists(TEXTS, max_size=4).map(tuple)


@given(
    texts=st.fixed_dictionaries(dict.fromkeys(("instruction", "input", "output", "metadata"), TEXTS)),
    labels=st.fixed_dictionaries(dict.fromkeys(("major", "minor", "domain"), LABELS)),
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_write_any_text_as_python_does(db: None, texts: dict[str, str], labels: dict[str, tuple[str, ...]]) -> None:
    wording = {**texts, "task_type": {"major": labels["major"], "minor": labels["minor"]}, "domain": labels["domain"]}
    sql = f"""
        SELECT {rows.LINE} FROM (SELECT to_json(%s::text) AS copyright) said, (
            SELECT %s::text AS instruction, %s::text AS input, %s::text AS output, %s::text AS metadata,
                (%s::jsonb)::text AS task_type_text, (%s::jsonb)::text AS domain_text, 'llm'::varchar AS answer_from
        ) wording
    """  # the same expression that releases and the stream are made of
    plain = [texts[name] for name in ("metadata", "instruction", "input", "output", "metadata")]
    parameters = [*plain, json.dumps(wording["task_type"]), json.dumps(wording["domain"])]
    (line,) = next(rows._copied(sql, parameters, columns=1))
    revision = Revision(**wording, answer_from="llm")
    assert line == expected(revision, texts["metadata"])


def documents(path: Path) -> Iterator[tuple[bytes, Document]]:
    seen = set()
    for raw in path.read_bytes().split(b"\n")[:-1]:
        value = json.loads(raw)
        key = duplicate_key(value["instruction"], value["input"], value["output"])
        if key not in seen:
            seen.add(key)
            same = {name: value[name] for name in ("instruction", "input", "output", "metadata", "answer_from")}
            task = {kind: tuple(value["task_type"][kind]) for kind in ("major", "minor")}
            yield raw, candidate(**same, **task, domain=tuple(value["domain"]))


@pytest.mark.parametrize("name", FINISHED)
def test_published_files_come_back_byte_for_byte(shared_data: Path, approved: Approved, name: str) -> None:
    """Unchanged but for `human_verified` and `copyright`, which this system states itself."""
    taken = list(documents(shared_data / "finished" / f"{name}.jsonl"))
    batch = approved([document for _raw, document in taken], source="law-gee")
    assert batch.rights is not None
    tail = f'"human_verified": true, "copyright": {json.dumps(batch.rights.published_text, ensure_ascii=False)}}}'
    wanted = [raw.rpartition(b'"human_verified": ')[0] + tail.encode() for raw, _document in taken]
    assert lines_of(cut()) == wanted
    assert live() == wanted


def test_records_without_rights_say_that_none_are_stated(approved: Approved) -> None:
    approved(1, licence=None)
    (line, head, tail, kind) = next(frozen_rows(cut(slug="internal").pk, 0, 1))
    assert json.loads(line)["copyright"] == "暂无版权及作者信息"
    assert json.loads(head + b"x" + tail) == {
        "id": Record.objects.get().pk,
        "sha256": "x",
        "licence": "unknown",
        "holder": "",
        "external_id": None,
    }
    assert kind == b"unknown|human|"


def test_frozen_rows_come_in_pages(approved: Approved) -> None:
    approved(7)
    release = cut()
    whole = lines_of(release)
    assert [len(list(frozen_rows(release.pk, after, after + 3))) for after in (0, 3, 6)] == [3, 3, 1]
    paged = [row[0] for after in (0, 3, 6) for row in frozen_rows(release.pk, after, after + 3)]
    assert paged == whole


@pytest.mark.parametrize(("first", "page", "most"), [(1, 10**6, 2), (2, 1, 4), (256, 4096, 4096), (3, 10, 2)])
def test_stream_is_the_same_whatever_the_pages(
    approved: Approved, monkeypatch: pytest.MonkeyPatch, first: int, page: int, most: int
) -> None:
    approved(9)
    approved(4, licence=None)
    approved(2, source="mba")
    wanted = [row[0] for row in frozen_rows(cut().pk, 0, 11)]
    monkeypatch.setattr(rows, "FIRST_PAGE_ROWS", first)
    monkeypatch.setattr(rows, "PAGE_BYTES", page)
    monkeypatch.setattr(rows, "PAGE_ROWS", most)
    assert sorted(live()) == sorted(wanted)


def test_stream_cuts_pages_of_long_records_short(approved: Approved, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "PAGE_BYTES", 10_000)
    approved([candidate(output=f"{number}" * 30_000) for number in range(6)])
    page = rows._live_page(Record.objects.releasable(Licence.research()), 0, None)
    assert (page.rows, page.is_cut_short) == (1, True)
    assert len(live()) == 6


def test_stream_in_pieces_of_64_kib(approved: Approved) -> None:
    approved([candidate(output=f"{number}" * 50_000) for number in range(4)])
    pieces = list(live_lines(Record.objects.releasable(Licence.research())))
    assert [len(piece) for piece in pieces[:-1]] == [rows.PIECE_BYTES] * (len(pieces) - 1)


def test_stream_of_nothing_is_empty(db: None) -> None:
    assert live() == []


def test_stream_goes_on_past_pages_that_hold_nothing(approved: Approved, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "FIRST_PAGE_ROWS", 2)
    monkeypatch.setattr(rows, "PAGE_ROWS", 2)
    approved(5, licence="restricted")
    approved(1)
    assert len(live()) == 1


def test_stream_sees_what_is_approved_behind_it(approved: Approved, lin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """A live view: what comes in behind the reader's place is part of it."""
    monkeypatch.setattr(rows, "FIRST_PAGE_ROWS", 1)
    monkeypatch.setattr(rows, "PAGE_ROWS", 1)
    approved(2)
    stream = live_lines(Record.objects.releasable(Licence.research()))
    next(stream)
    add_records("mba", [candidate(instruction="后来的")], licence="MIT")
    approve_waiting(lin)
    assert sum("后来的".encode() in piece for piece in stream) == 1


@pytest.mark.parametrize("slug", ["open", "research", "internal"])
def test_released_and_held_back_are_all_that_is_approved(approved: Approved, slug: str) -> None:
    for licence in [*Licence.values, None]:
        approved(1, licence=licence)
    licences = {
        "open": Licence.open(),
        "research": Licence.research(),
        "internal": Licence.research() | {"fair-use", "unknown"},
    }[slug]
    released = set(Record.objects.releasable(licences).values_list("pk", flat=True))
    held = set(held_back(licences).values_list("pk", flat=True))
    assert not released & held
    assert released | held == set(Record.objects.values_list("pk", flat=True))

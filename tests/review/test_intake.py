"""The door in: what becomes of a line, whatever lines came before it and however they are cut into chunks."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from itertools import batched
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.document import Document
from review import decisions, intake, workflow
from review.models import (
    Batch,
    Cause,
    Duplicate,
    Move,
    Original,
    Record,
    Revision,
    Source,
    State,
    Takedown,
    TakedownMatch,
    User,
    Verdict,
)
from review.text.signature import duplicate_key
from tests.factories import add_records, approve, candidate, judgement

pytestmark = [pytest.mark.django_db, pytest.mark.core]

TABLES = ("review_record", "review_revision", "review_original", "review_duplicate", "review_move")


def batch_of(source: str = "ruozhiba") -> Batch:
    return Batch.objects.create(source=Source.objects.get(slug=source), name="test")


def take_in(lines: Sequence[Document], *, source: str = "ruozhiba", size: int = 1000) -> Counter[str]:
    """Import the lines as one batch, in chunks of a size, and count."""
    batch, total = batch_of(source), Counter[str]()
    for chunk in batched(lines, size):
        total.update(counts(intake.add_records(chunk, batch=batch)))
    return total


def counts(counted: intake.Counted) -> Counter[str]:
    return Counter(asdict(counted) | {"dropped": counted.dropped.total()})


def xmins() -> dict[str, list[tuple[Any, ...]]]:
    """Which row versions there are: a row that is written again has another xmin."""
    with connection.cursor() as cursor:
        found = {}
        for table in TABLES:
            cursor.execute(f"SELECT id, xmin::text FROM {table} ORDER BY id")
            found[table] = cursor.fetchall()
    return found


def takedown_of(key: bytes, **match: Any) -> Takedown:
    takedown = Takedown.objects.create(
        requester="a holder", ground="copyright", received_on=date(2026, 1, 1), state=Takedown.State.CONFIRMED
    )
    TakedownMatch.objects.create(takedown=takedown, key=key, **match)
    return takedown


def key_of(line: Document) -> bytes:
    return duplicate_key(line.instruction, line.input, line.output)


def test_new_record_is_stored_as_it_stood() -> None:
    line = candidate(
        external_id="a1", claimed_human_verified=True, claimed_copyright="某站", answer_from="", minor=("甲", "乙")
    )
    batch = add_records("ruozhiba", [line])
    record = Record.objects.select_related("revision").get(batch=batch)
    assert (record.state, record.external_id, bytes(record.key)) == (State.WAITING, "a1", key_of(line))
    assert (record.human_verified, record.verdict, record.wanted, record.round) == (False, None, 1, 1)
    text = record.revision
    assert (text.number, text.instruction, text.input, text.output) == (1, line.instruction, line.input, line.output)
    assert (text.task_type, text.domain) == ({"major": ["问答"], "minor": ["甲", "乙"]}, ["百科"])
    assert (text.answer_from, text.author, text.batch) == ("", None, batch)
    original = Original.objects.get(record=record)
    assert (bytes(original.raw), original.line, original.offset) == (line.raw, line.line, line.offset)
    assert (original.claimed_human_verified, original.claimed_copyright) == (True, "某站")


def test_record_without_an_answer_is_unanswered() -> None:
    add_records("ruozhiba", [candidate(output=" \n")])
    assert Record.objects.get().state == State.UNANSWERED


def test_labels_that_the_shape_lacks_are_the_source_s_where_it_has_but_one() -> None:
    source = Source.objects.get(slug="kaoyan")
    assert (len(source.major), len(source.minor) > 1, source.answer_from) == (1, True, "human")
    bare = candidate(major=None, minor=None, domain=None, answer_from=None)
    stated = candidate(major=(), minor=("甲",), domain=(), answer_from="")
    add_records("kaoyan", [bare, stated])
    filled, kept = Revision.objects.order_by("pk")
    assert (filled.task_type, filled.answer_from) == ({"major": source.major, "minor": []}, "human")
    assert (kept.task_type, kept.domain, kept.answer_from) == ({"major": [], "minor": ["甲"]}, [], "")


def test_several_labels_that_go_together_are_the_record_s_as_a_whole() -> None:
    source = Source.objects.get(slug="classical-translation")
    assert (len(source.domain), source.labels_go_together) == (2, True)
    add_records(source.slug, [candidate(major=None, minor=None, domain=None), candidate(domain=())])
    filled, kept = Revision.objects.order_by("pk")
    assert (filled.task_type, filled.domain) == ({"major": source.major, "minor": source.minor}, source.domain)
    assert kept.domain == []


def test_share_of_second_looks_is_drawn_by_the_key() -> None:
    lines = [candidate() for _number in range(400)]
    for share, least, most in ((0, 0, 0), (25, 60, 140), (100, 400, 400)):
        with transaction.atomic():
            Source.objects.filter(slug="ruozhiba").update(second_looks=share)
            take_in(lines, size=150)
            assert least <= Record.objects.filter(wanted=2).count() <= most
            transaction.set_rollback(True)


def test_same_lines_again_write_nothing() -> None:
    lines = [candidate(external_id=name) for name in ("a", None, "b", None)]
    assert take_in(lines)["new"] == 4
    before = xmins()
    assert take_in(lines) == Counter(unchanged=4, new=0, changed=0, duplicate=0, dropped=0)
    assert xmins() == before


def test_text_of_another_source_is_linked_not_loaded() -> None:
    line = candidate()
    add_records("zhihu", [line])
    assert take_in([line, line])["duplicate"] == 2
    record = Record.objects.get()
    assert record.source.slug == "zhihu"
    assert list(Duplicate.objects.values_list("record", "line")) == [(record.pk, line.line)] * 2


def test_key_ignores_white_space_and_composition_and_nothing_else() -> None:
    lines = [candidate(instruction=text, output="答") for text in ("e\u0301 问", "é问", "é 问\n", "É问")]
    assert take_in(lines) == Counter(new=2, duplicate=2, changed=0, unchanged=0, dropped=0)
    assert [text.instruction for text in Revision.objects.order_by("pk")] == ["e\u0301 问", "É问"]


def test_equal_question_with_another_answer_is_another_record() -> None:
    assert take_in([candidate(instruction="问", output="甲"), candidate(instruction="问", output="乙")])["new"] == 2


def test_another_wording_replaces_one_that_nobody_has_decided_on() -> None:
    add_records("ruozhiba", [candidate(external_id="a1", output="旧")])
    record = Record.objects.get()
    line = candidate(external_id="a1", output="")
    assert take_in([line])["changed"] == 1
    record.refresh_from_db()
    assert (record.revision.number, record.revision.output, bytes(record.key)) == (2, "", key_of(line))
    assert record.state == State.UNANSWERED
    assert Move.objects.get().cause == Cause.REIMPORT
    assert Original.objects.filter(record=record).count() == 2


def test_another_wording_of_a_decided_record_waits_beside_it(lin: User) -> None:
    old = candidate(external_id="a1", output="旧")
    add_records("ruozhiba", [old])
    record = Record.objects.get()
    approve(record, lin)
    new = candidate(external_id="a1", output="新")
    assert take_in([new, new]) == Counter(changed=1, duplicate=1, new=0, unchanged=0, dropped=0)
    record.refresh_from_db()
    assert (record.state, record.human_verified, record.revision.output) == (State.APPROVED, True, "旧")
    assert record.revisions.get(number=2).output == "新"
    before = xmins()
    assert take_in([new])["unchanged"] == 1
    assert xmins() == before
    assert take_in([old])["unchanged"] == 1


def test_rejected_and_half_decided_records_keep_their_wording(lin: User) -> None:
    Source.objects.filter(slug="ruozhiba").update(second_looks=100)
    add_records("ruozhiba", [candidate(external_id=name) for name in ("first", "second")])
    first, second = Record.objects.order_by("pk")
    approve(first, lin)
    decisions.decide(by=lin, record=second.pk, judgement=judgement(second, Verdict.REJECT))
    take_in([candidate(external_id="first"), candidate(external_id="second")])
    assert set(Record.objects.values_list("revision__number", flat=True)) == {1}


def test_record_that_a_person_edited_is_known_by_the_text_it_came_with(lin: User) -> None:
    line = candidate(external_id="a1")
    add_records("ruozhiba", [line])
    approve(Record.objects.get(), lin, output="重写的回答")
    assert take_in([line])["unchanged"] == 1


def test_taken_down_text_does_not_come_back() -> None:
    line = candidate(output="机密")
    takedown = takedown_of(key_of(line))
    batch = batch_of()
    counted = intake.add_records([line], batch=batch)
    assert counted.dropped == {f"takedown {takedown.pk}": 1}
    assert not Record.objects.exists()
    assert not Original.objects.exists()


def test_match_that_was_left_out_or_reversed_forbids_nothing() -> None:
    left_out, reversed_ = candidate(), candidate()
    takedown_of(key_of(left_out), is_included=False)
    Takedown.objects.filter(pk=takedown_of(key_of(reversed_)).pk).update(state=Takedown.State.REVERSED)
    assert take_in([left_out, reversed_])["new"] == 2


def test_other_wordings_of_a_taken_down_record_are_dropped_too() -> None:
    line = candidate(external_id="a1")
    add_records("ruozhiba", [line])
    takedown = takedown_of(b"x" * 32)
    workflow.move(Record.objects.all(), cause=Cause.TAKE_DOWN, by=None, takedown=takedown)
    counted = intake.add_records([line, candidate(external_id="a1")], batch=batch_of())
    assert counted.dropped == {f"takedown {takedown.pk}": 2}
    assert Revision.objects.count() == 1


def test_texts_that_move_on_by_one_identifier_all_move() -> None:
    """Somebody put a line in front, and identifiers are positions: each takes the key that the next one gives up."""
    texts = [f"第{number}段" for number in range(6)]
    take_in([candidate(external_id=str(at), instruction="问", output=text) for at, text in enumerate(texts)])
    moved = ["新的一段", *texts]
    for size in (1, 3, 100):
        with transaction.atomic():
            lines = [candidate(external_id=str(at), instruction="问", output=text) for at, text in enumerate(moved)]
            assert take_in(lines, size=size) == Counter(changed=6, new=1, unchanged=0, duplicate=0, dropped=0)
            current = Record.objects.order_by("external_id").values_list("revision__output", flat=True)
            assert list(current) == moved
            transaction.set_rollback(True)


def test_race_for_a_key_is_told_as_integrity_error(monkeypatch: pytest.MonkeyPatch) -> None:
    line = candidate()
    add_records("zhihu", [line])
    monkeypatch.setattr(intake.Ledger, "_look_up", lambda *_: None)
    with pytest.raises(IntegrityError, match="review_record_key"), transaction.atomic():
        intake.add_records([line], batch=batch_of())
    assert Record.objects.count() == 1


LINES = st.lists(
    st.tuples(st.sampled_from([None, "a", "b", "c"]), st.sampled_from("甲乙丙丁"), st.sampled_from("一二")), max_size=6
)


def lines_of(drawn: list[tuple[str | None, str, str]]) -> list[Document]:
    return [candidate(external_id=name, instruction="问", output=text, domain=(label,)) for name, text, label in drawn]


def picture() -> list[object]:
    """All that was stored, without ids: for each record its texts, its current one, and the lines linked to it."""
    return [
        (
            record.source.slug,
            record.external_id,
            bytes(record.key),
            record.state,
            record.wanted,
            record.revision.number,
            sorted((text.number, text.output, text.domain[0]) for text in record.revisions.all()),
            sorted(bytes(original.raw) for original in record.originals.all()),
            record.duplicates.count(),
        )
        for record in Record.objects.select_related("source", "revision").order_by("key")
    ]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=LINES, other=LINES, second=LINES, decided=st.integers(0, 2))
def test_chunks_make_no_difference(
    lin: User,
    first: list[tuple[str | None, str, str]],
    other: list[tuple[str | None, str, str]],
    second: list[tuple[str | None, str, str]],
    decided: int,
) -> None:
    lines, again = lines_of(first), lines_of(second)
    seen = []
    for size in (1, 3, 100):
        with transaction.atomic():
            take_in(lines)
            take_in(lines_of(other), source="zhihu")
            for record in Record.objects.order_by("key")[:decided]:
                approve(record, lin)
            rehearsed = rehearse(again, size)
            total = take_in(again, size=size)
            assert rehearsed == total
            assert total.total() == len(again)
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            seen.append((total, picture()))
            transaction.set_rollback(True)
    assert seen[0] == seen[1] == seen[2]


def rehearse(lines: Sequence[Document], size: int) -> Counter[str]:
    before, total = xmins(), Counter[str]()
    ledger = intake.Ledger(Batch(pk=0, source=Source.objects.get(slug="ruozhiba")))
    for chunk in batched(lines, size):
        total.update(counts(intake.count_records(chunk, ledger=ledger)))
    assert xmins() == before
    return total

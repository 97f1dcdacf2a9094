"""Near-duplicates: what is found, across imports and sources, and what is left out."""

import tracemalloc

import numpy as np
import pytest
from django.db import connection

from review import duplicates, retractions, takedowns, tasks, unread
from review.models import NearDuplicate, SignatureBand, SignatureRun, Unread, User
from review.text import minhash
from review.tracing import Asked
from tests.factories import add_records, approve, candidate, record

TEXT = (
    "北京的秋天最长的是十月，香山的叶子由绿转黄再转红，游人沿着石阶慢慢往上走，到了半山亭可以歇脚喝茶，"
    "远处的昆明湖像一面镜子，湖边的柳树还没有落叶，风吹过来的时候水面起了细细的波纹，孩子们在岸上放风筝。"
)
ALIKE = TEXT.replace("慢慢", "缓缓")
OTHER = "光合作用把光能变成化学能，叶绿体里的色素吸收红光和蓝光，放出氧气，固定二氧化碳，最后得到葡萄糖和淀粉。"


def find() -> None:
    while duplicates.find_next():
        pass


def state() -> list[tuple[int, int, float]]:
    return sorted(NearDuplicate.objects.values_list("record", "other", "similarity"))


def test_two_records_that_differ_in_a_word_are_near_duplicates_across_sources(db: None) -> None:
    one, two = record("zhihu", instruction="写秋天", output=TEXT), record("douban", instruction="写秋天", output=ALIKE)
    record("zhihu", instruction="讲光合作用", output=OTHER)
    find()
    assert [(near.record.pk, near.record.source.slug) for near in duplicates.near(one.pk)] == [(two.pk, "douban")]
    assert [near.record.pk for near in duplicates.near(two.pk)] == [one.pk]
    expected = minhash.likeness(
        minhash.shingles(minhash.squeezed("写秋天", TEXT)), minhash.shingles(minhash.squeezed("写秋天", ALIKE))
    )
    assert duplicates.near(one.pk)[0].similarity == pytest.approx(expected)
    assert 0.8 < expected < 1


def test_a_later_import_is_compared_with_every_earlier_one(db: None) -> None:
    one = record(instruction="写秋天", output=TEXT)
    find()
    two = record(instruction="写秋天", output=ALIKE)
    find()
    assert [pair[:2] for pair in state()] == [(one.pk, two.pk)]


def test_a_reworded_record_is_compared_anew(lin: User) -> None:
    one, two = record(instruction="写秋天", output=TEXT), record(instruction="写秋天", output=ALIKE)
    find()
    approve(two, lin, output=OTHER)
    find()
    assert state() == []
    three = record(instruction="写秋天", output=OTHER)
    find()
    assert [pair[:2] for pair in state()] == [(two.pk, three.pk)]
    assert duplicates.near(one.pk) == []


def test_what_was_taken_back_is_no_longer_shown(db: None, gao: User) -> None:
    one, two = record(instruction="写秋天", output=TEXT), record(instruction="写秋天", output=ALIKE)
    find()
    assert duplicates.pairs().count() == 1
    retractions.retract(two.batch, by=gao)
    assert duplicates.near(one.pk) == []
    assert not duplicates.pairs().exists()


def test_what_was_taken_back_is_not_compared_with_what_comes_in_again(db: None, gao: User) -> None:
    candidates = [candidate(instruction=f"第{number}题", output=f"{number}。{OTHER[number:]}") for number in range(5)]
    apart = [candidate(instruction=f"独一题{number}") for number in range(5)]
    first = add_records("zgbk", apart)
    find()
    retractions.retract(first, by=gao)
    again = add_records("zgbk", apart)
    find()
    assert state() == []
    assert not duplicates.having_near().exists()
    assert set(again.records.values_list("retraction", flat=True)) == {None}
    add_records("zgbk", candidates)
    find()
    assert state() != []


def test_copies_taken_back_do_not_stand_between_two_live_records(
    db: None, gao: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "NEIGHBOURS", 2)
    one = record(instruction="写秋天", output=TEXT)
    for _time in range(3):
        retractions.retract(record(instruction="写秋天", output=ALIKE).batch, by=gao)
    find()
    two = record(instruction="写秋天", output=ALIKE)
    find()
    assert [pair[:2] for pair in state()] == [(one.pk, two.pk)]


def test_what_was_taken_down_is_compared_once_it_is_back(db: None) -> None:
    one = record(instruction="写秋天", output=TEXT)
    find()
    takedown = takedowns.request(by=None, requester="甲", ground="著作权", asked=Asked(records=(one.pk,)))
    takedowns.confirm(takedown, by=None)
    two = record(instruction="写秋天", output=ALIKE)
    find()
    assert state() == []
    takedowns.reverse(takedown, by=None)
    find()
    assert [pair[:2] for pair in state()] == [(one.pk, two.pk)]


def test_of_a_thousand_alike_each_is_linked_to_some(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "NEIGHBOURS", 2)
    batch = add_records("zhihu", [candidate(instruction="写秋天", output=f"{TEXT}{number}") for number in range(30)])
    find()
    linked = {pk for pair in state() for pk in pair[:2]}
    assert linked == set(batch.records.values_list("pk", flat=True))
    assert len(state()) <= 2 * 16 * 30


def test_memory_does_not_grow_with_all_that_shares_a_number() -> None:
    """Of 200,000 records with the same number, few are fresh: only their pairs become Python's."""
    signed, few = 200_000, 50
    ids = np.arange(signed, dtype=np.int64)
    numbers = np.zeros(signed, np.uint32)
    is_fresh = ids >= signed - few
    tracemalloc.start()
    found = duplicates._sharing(numbers[is_fresh], numbers, ids, is_fresh)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    near = duplicates.NEIGHBOURS
    assert found == {(one, other) for other in range(signed - few, signed) for one in range(other - near, other)}
    assert peak < 40_000_000


def test_tasks_that_run_twice_leave_the_same_state(db: None) -> None:
    one, two = record(instruction="写秋天", output=TEXT), record(instruction="写秋天", output=ALIKE)
    tasks.find_duplicates()
    once = state()
    unread.note([one.pk, two.pk])
    tasks.find_duplicates()
    tasks.find_duplicates()
    assert [pair[:2] for pair in state()] == [pair[:2] for pair in once] == [(one.pk, two.pk)]


def test_a_pass_that_fails_leaves_all_of_it_to_the_next(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    record(instruction="写秋天", output=TEXT), record(instruction="写秋天", output=ALIKE)
    monkeypatch.setattr(duplicates, "_compare", lambda _runs: 1 / 0)
    assert duplicates.find_next() == 2
    with pytest.raises(ZeroDivisionError):
        duplicates.find_next()
    monkeypatch.undo()
    find()
    assert len(state()) == 1
    assert duplicates.lag() == 0


@pytest.mark.django_db(transaction=True)
def test_a_second_pass_leaves_the_work_to_the_one_that_is_at_it() -> None:
    record()
    with connection.copy().cursor() as other:
        other.execute("BEGIN")
        other.execute("SELECT pg_advisory_xact_lock(%s)", [unread._LOCKS[Unread.Task.LIKENESS]])
        assert duplicates.find_next() == 0
        other.execute("ROLLBACK")
        other.connection.close()
    assert duplicates.find_next() == 1


def test_a_text_finds_the_records_that_are_like_it(db: None) -> None:
    one = record(instruction="写秋天", output=TEXT)
    record(instruction="讲光合作用", output=OTHER)
    find()
    assert [pk for pk, _likeness in duplicates.similar_to(f"写秋天{ALIKE}", at_least=0.8)] == [one.pk]
    assert duplicates.similar_to(f"写秋天{TEXT}", at_least=0.9) == [(one.pk, 1.0)]
    assert duplicates.similar_to(f"写秋天{ALIKE}", at_least=0.99) == []
    assert duplicates.similar_to("  ", at_least=0.9) == []


def test_the_answer_alone_is_like_its_record(db: None) -> None:
    one = record(instruction="写秋天", output=TEXT)
    find()
    assert duplicates.similar_to(TEXT, at_least=0.9) == [(one.pk, 1.0)]


def test_small_runs_are_laid_together_and_find_the_same(db: None, lin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "SMALL_RUNS", 2)
    one = record(instruction="写秋天", output=OTHER)
    find()
    approve(one, lin, output=TEXT)
    find()
    assert duplicates.tidy() == 2
    assert (SignatureRun.objects.get().number, SignatureBand.objects.count()) == (1, minhash.BANDS)
    two = record(instruction="写秋天", output=ALIKE)
    find()
    assert [pair[:2] for pair in state()] == [(one.pk, two.pk)]


def test_what_is_forgotten_has_no_signature(db: None) -> None:
    one, two = record(instruction="写秋天", output=TEXT), record(instruction="写秋天", output=ALIKE)
    find()
    duplicates.forget([one.pk])
    assert state() == []
    assert [pk for pk, _likeness in duplicates.similar_to(TEXT, at_least=0.5)] == [two.pk]
    assert SignatureRun.objects.get().number == 1


@pytest.mark.parametrize("short", ["甲", "甲乙丙丁"])
def test_short_texts_have_a_signature_as_well(short: str) -> None:
    rows = minhash.signatures([short, TEXT, short])
    assert rows.shape == (3, minhash.BANDS)
    assert (rows[0] == rows[2]).all()
    assert (rows[0] != rows[1]).any()


def test_a_signature_depends_on_its_own_text_alone() -> None:
    alone = minhash.signatures([TEXT])[0]
    assert (minhash.signatures([OTHER, TEXT, ALIKE])[1] == alone).all()
    assert (minhash.signatures([OTHER * 5_000, TEXT])[1] == alone).all()


def test_candidates_are_missed_as_rarely_as_is_said() -> None:
    base = [chr(0x4E00 + number) for number in range(1_000)]
    missed = 0
    for start in range(100):
        text = "".join(base[start : start + 400])
        edited = text[:36] + "〇" + text[37:]  # 5 of 396 shingles
        one, other = minhash.signatures([text, edited])
        missed += not (one == other).any()
    assert missed == 0

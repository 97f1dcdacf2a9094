"""The figures of the sources and of what waits: counted from an index, and the same as counted one by one."""

from collections import Counter

import pytest
from django.core.cache import cache
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from review import claims, decisions, retractions, sending_back
from review.models import Record, Source, State, User, Verdict
from review.views import figures
from review.waiting import waiting_by_source, waiting_for
from tests.factories import add_records, approve, candidate, judgement, record

pytestmark = pytest.mark.django_db


def test_every_record_is_counted_once_by_state_or_as_gone(gao: User, lin: User) -> None:
    done, rejected, gone = record("zhihu"), record("zhihu"), record("zhihu")
    record("zhihu"), record("zhihu", output="")
    approve(done, lin)
    decisions.decide(by=lin, record=rejected.pk, judgement=judgement(rejected, Verdict.REJECT))
    retractions.retract(gone.batch, by=gao)
    source = Source.objects.get(slug="zhihu")
    counted = figures.figures_of([source.pk])[source.pk]
    assert (counted.candidates, counted.gone, counted.waiting, counted.unanswered) == (4, 1, 2, 1)
    assert (counted.approved, counted.rejected, counted.disputed) == (1, 1, 0)


@pytest.mark.django_db(transaction=True)
def test_the_figures_are_one_statement_over_one_index(lin: User) -> None:
    add_records("zhihu", [candidate() for _number in range(200)])
    with connection.cursor() as cursor:
        cursor.execute(
            "REINDEX TABLE review_record"
        )  # what tests before have left would decide which index is cheapest
        cursor.execute("VACUUM ANALYZE review_record")
    sources = list(Source.objects.values_list("pk", flat=True))
    with CaptureQueriesContext(connection) as asked:
        figures.figures_of(sources)
    assert len(asked) == 1
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # at this size nothing else would be worth it
        cursor.execute(f"EXPLAIN {asked[0]['sql']}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "review_record_counted" in plan
    assert "Seq Scan" not in plan


def test_figures_of_many_records_are_remembered_for_seconds(lin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source.objects.get(slug="zhihu")
    record("zhihu")
    assert figures.figures_of([source.pk])[source.pk].waiting == 1
    record("zhihu")
    assert figures.figures_of([source.pk])[source.pk].waiting == 2  # few are counted each time
    monkeypatch.setattr(figures, "MANY", 1)
    assert figures.figures_of([source.pk])[source.pk].waiting == 2
    record("zhihu")
    assert figures.figures_of([source.pk])[source.pk].waiting == 2
    cache.clear()
    assert figures.figures_of([source.pk])[source.pk].waiting == 3


def test_what_waits_by_source_is_what_the_queue_would_give(lin: User, mei: User, gao: User) -> None:
    for slug in ("zhihu", "zhihu", "mba", "douban"):
        record(slug)
    blank, assigned, mine = record("mba", output=""), record("zhihu"), record("douban")
    decisions.decide(by=lin, record=blank.pk, judgement=judgement(blank, Verdict.REWRITE, output="答案。"))
    Record.objects.filter(pk=assigned.pk).update(assignee=mei)
    Record.objects.filter(pk=mine.pk).update(assignee=lin)
    doubled = record("zhihu")
    Record.objects.filter(pk=doubled.pk).update(wanted=2)
    approve(doubled, lin)
    undone = record("zhihu")
    decisions.undo(by=lin, decision=approve(undone, lin))
    claims.release_claim(by=lin, record=undone.pk)
    back = record("mba")
    approve(back, lin)
    sending_back.send_back(by=gao, records=[back.pk], reason="再看")
    for person in (lin, mei):
        one_by_one = Counter(waiting_for(person).values_list("source__slug", flat=True))
        assert {source.slug: number for source, number in waiting_by_source(person)} == dict(one_by_one)
    assert Record.objects.get(pk=doubled.pk).state == State.SECOND


def test_what_waits_is_counted_without_looking_at_records_one_by_one(lin: User) -> None:
    add_records("zhihu", [candidate() for _number in range(30)])
    with CaptureQueriesContext(connection) as asked:
        assert [number for _source, number in waiting_by_source(lin)] == [30]
    assert len(asked) <= 7

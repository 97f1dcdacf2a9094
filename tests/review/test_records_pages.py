"""The list of records: what it shows to whom, what it may be asked for, and how it refuses everything else."""

import time
from datetime import timedelta
from html import unescape
from re import findall
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from review import browsing, decisions, duplicates, retractions, rights, search, sending_back
from review.filters import RecordFilter
from review.models import Decision, Record, Score, Source, User, Verdict
from tests.factories import add_records, approve, candidate, judgement, record
from tests.review.reviewing import signed_in

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.django_db

NUMBER = "/review/records/number/"
LIST = "/review/records/"


def read() -> None:
    while search.index_next() or duplicates.find_next():
        pass


def shown(client: Client, **asked: object) -> list[int]:
    page = client.get(LIST, asked)
    assert page.status_code == 200, page.context["problems"]
    return [row.record.pk for row in page.context["rows"]]


def pks(*records: Record) -> list[int]:
    return sorted((given.pk for given in records), reverse=True)


def test_every_record_is_listed_the_newest_first(lin: User) -> None:
    one, two = record(), record("mba")
    assert shown(signed_in(lin)) == [two.pk, one.pk]
    assert shown(signed_in(lin), sort="oldest") == [one.pk, two.pk]


def test_each_filter_finds_what_it_says(lin: User, gao: User) -> None:
    done = record("zhihu", instruction="什么是玄武岩？", output="玄武岩是岩浆岩。", major=("问答",), domain=("地质",))
    rejected = record(
        "mba", minor=("摘要",), answer_from="llm", output="见 https://example.org/a 的说明，这里说得很清楚。"
    )
    waiting = record("douban", output="长" * 3_000)
    blank = record("douban", output="")
    approve(done, lin)
    decisions.decide(by=lin, record=rejected.pk, judgement=judgement(rejected, Verdict.REJECT))
    rights.decide_rights(Source.objects.get(slug="zhihu"), by=gao, licence="CC0-1.0")
    rights.decide_rights(waiting, by=gao, licence="restricted")
    Record.objects.filter(pk=waiting.pk).update(assignee=lin)
    Score.objects.create(record=done, value=7.5, scorer="rules")
    Score.objects.create(record=rejected, value=2, scorer="judge")
    Score.objects.create(record=blank, scorer="rules", unscored="unanswered")
    read()
    client, today = signed_in(gao), timezone.localdate()
    cases: list[tuple[dict[str, object], Sequence[Record]]] = [
        ({"q": "玄武"}, [done]),
        ({"source": "mba"}, [rejected]),
        ({"category": waiting.source.category.slug}, [done, waiting, blank]),
        ({"state": "approved"}, [done]),
        ({"state": "rejected"}, [rejected]),
        ({"state": "waiting"}, [waiting]),
        ({"state": "unanswered"}, [blank]),
        ({"verified": "yes"}, [done]),
        ({"verified": "no"}, [rejected, waiting, blank]),
        ({"verified": "yes", "state": "waiting"}, []),
        ({"domain": "地质"}, [done]),
        ({"minor": "摘要"}, [rejected]),
        ({"major": "问答", "source": "mba"}, [rejected]),
        ({"answer_from": "llm"}, [rejected]),
        ({"licence": "CC0-1.0"}, [done]),
        ({"licence": "restricted"}, [waiting]),
        ({"licence": "unknown"}, [rejected, blank]),
        ({"reach": "every"}, [done]),
        ({"reach": "inside"}, [rejected, blank]),
        ({"reach": "nowhere", "licence": "CC0-1.0"}, []),
        ({"shortest": 1000}, [waiting]),
        ({"longest": 0}, [blank]),
        ({"flag": "web_address"}, [rejected]),
        ({"imported_from": today - timedelta(1), "imported_to": today}, [done, rejected, waiting, blank]),
        ({"imported_to": today - timedelta(1)}, []),
        ({"batch": done.batch_id}, [done]),
        ({"reviewer": "lin"}, [done, rejected]),
        ({"reviewer": "gao"}, []),
        ({"assignee": "lin"}, [waiting]),
        ({"near": "on"}, []),
        ({"score_from": "7.5"}, [done]),
        ({"score_to": "7.4"}, [rejected]),
        ({"score_from": 0, "score_to": 10}, [done, rejected]),
        ({"scored": "yes", "source": "mba"}, [rejected]),
        ({"scored": "no"}, [waiting, blank]),
        ({"q": "玄武", "source": "zhihu", "state": "approved", "licence": "CC0-1.0"}, [done]),
        ({"q": "玄武", "source": "mba"}, []),
    ]
    for asked, expected in cases:
        assert shown(client, **asked) == pks(*expected), asked
        assert client.get(LIST, asked).context["number"] == len(expected), asked
        assert client.get(NUMBER, asked).context["number"] == len(expected), asked


def test_near_duplicates_are_listed_and_marked(lin: User) -> None:
    text = "北京的秋天最长的是十月，香山的叶子由绿转黄再转红，游人沿着石阶慢慢往上走，到了半山亭可以歇脚喝茶。"
    one, two = record(instruction="秋", output=text), record(instruction="秋", output=f"{text}好")
    record()
    read()
    assert shown(signed_in(lin), near="on") == pks(one, two)
    assert signed_in(lin).get(LIST).content.decode().count("near-duplicate<") == 2


def test_what_was_taken_back_is_listed_for_managers_who_ask(lin: User, gao: User) -> None:
    gone, kept = record(), record("mba")
    retractions.retract(gone.batch, by=gao)
    assert shown(signed_in(gao)) == [kept.pk]
    assert shown(signed_in(gao), gone="back") == [gone.pk]
    assert signed_in(lin).get(LIST, {"gone": "back"}).status_code == 400


def test_pages_follow_one_another_without_gap_in_both_directions(lin: User) -> None:
    batch = add_records("zhihu", [candidate() for _number in range(60)])
    everything = list(batch.records.order_by("-pk").values_list("pk", flat=True))
    client, seen, address = signed_in(lin), [], f"{LIST}?source=zhihu&size=25"
    while address:
        page = client.get(address)
        seen.append([row.record.pk for row in page.context["rows"]])
        address = f"{LIST}{page.context['later']}" if page.context["later"] else ""
    assert [len(leaf) for leaf in seen] == [25, 25, 10]
    assert [pk for leaf in seen for pk in leaf] == everything
    back = client.get(f"{LIST}{page.context['earlier']}")
    assert [row.record.pk for row in back.context["rows"]] == seen[1]
    assert "source=zhihu" in back.context["earlier"]


def test_the_count_is_exact_up_to_a_bound(lin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    add_records("zhihu", [candidate() for _number in range(4)])
    monkeypatch.setattr(browsing, "COUNTED", 4)
    assert "4 records" in signed_in(lin).get(LIST).content.decode()
    assert "4 records" in signed_in(lin).get(NUMBER).content.decode()
    monkeypatch.setattr(browsing, "COUNTED", 3)
    assert "3+ records" in signed_in(lin).get(f"{LIST}?state=waiting").content.decode()
    assert "3+ records" in signed_in(lin).get(f"{NUMBER}?state=waiting").content.decode()


def test_a_page_of_several_is_shown_before_anybody_counts(lin: User, gao: User) -> None:
    add_records("zhihu", [candidate() for _number in range(27)])
    for person in (lin, gao):
        client, asked = signed_in(person), "source=zhihu"
        page = client.get(f"{LIST}?{asked}&size=25").content.decode()
        assert "25+ records" in page
        assert f'hx-get="{NUMBER}?{asked}"' in page
        counted = client.get(f"{NUMBER}?{asked}").content.decode()
        assert "27 records" in counted
        assert ("all 27 of the filter" in counted) == (person == gao)  # for the bar that reviewers do not have
        again = client.get(f"{LIST}?{asked}&size=25").content.decode()
        assert "27 records" in again
        assert NUMBER not in again
    answer = signed_in(lin).get(f"{NUMBER}?colour=red&state=sideways")
    assert answer.status_code == 400
    assert "There is no such filter." in answer.content.decode()


def test_matches_are_marked_as_text(lin: User) -> None:
    record(instruction="讲讲 <b>玄武</b> 岩", output="<script>alert(1)</script> 玄武玄武")
    read()
    page = signed_in(lin).get(LIST, {"q": "玄武"}).content.decode()
    assert page.count("<mark>玄武</mark>") == 3
    assert "&lt;b&gt;<mark>玄武</mark>&lt;/b&gt;" in page
    assert "<script>alert" not in page
    page = signed_in(lin).get(LIST, {"q": "<script>"}).content.decode()
    assert "<mark>&lt;script&gt;</mark>" in page


def test_the_page_says_while_the_index_is_behind(lin: User) -> None:
    record()
    assert "not in the index yet" in signed_in(lin).get(LIST, {"q": "天空"}).content.decode()
    read()
    assert "not in the index yet" not in signed_in(lin).get(LIST, {"q": "天空"}).content.decode()


def test_40_records_of_other_sources_are_not_there(lin: User, ruozhiba: Source) -> None:
    lin.sources.set([ruozhiba])
    mine, other = record("ruozhiba", output="玄武岩"), record("mba", output="玄武岩")
    read()
    client = signed_in(lin)
    assert shown(client) == shown(client, q="玄武") == shown(client, state="waiting") == [mine.pk]
    assert client.get(LIST, {"source": "mba"}).status_code == 400
    assert client.get(f"{LIST}?batch={other.batch_id}").context["rows"] == []
    assert f"#{other.pk}" not in client.get(LIST).content.decode()


def test_before_the_outcome_nobody_can_tell_a_second_look(lin: User, mei: User) -> None:
    doubled = record(output="玄武岩")
    Record.objects.filter(pk=doubled.pk).update(wanted=2)
    approve(doubled, lin, output="花岗石")
    assert Record.objects.get(pk=doubled.pk).state == "second"
    read()
    client = signed_in(mei)
    assert shown(client, state="waiting") == shown(client, q="玄武") == [doubled.pk]
    page = client.get(LIST).content.decode()
    assert ("花岗" not in page, "second" not in page) == (True, True)
    assert client.get(LIST, {"reviewer": "lin"}).status_code == 400


def test_whoever_gave_a_look_finds_it_decided_as_they_said(lin: User, mei: User) -> None:
    doubled = record(output="玄武岩")
    Record.objects.filter(pk=doubled.pk).update(wanted=2)
    approve(doubled, lin, output="花岗石")
    client = signed_in(lin)
    assert (shown(client, state="approved"), shown(client, state="waiting")) == ([doubled.pk], [])
    assert shown(client, verified="yes") == [doubled.pk]
    page = client.get(LIST).content.decode()
    assert ("花岗石" in page, "玄武岩" not in page, "state-approved" in page) == (True, True, True)
    decisions.decide(by=mei, record=doubled.pk, judgement=judgement(doubled, Verdict.REJECT))
    assert Record.objects.get(pk=doubled.pk).state == "disputed"
    assert (shown(client, state="approved"), shown(client, state="disputed")) == ([doubled.pk], [])


@pytest.mark.parametrize(
    "query",
    [
        "reviewer__password__startswith=a",
        "ordering=user__password",
        "sort=revision__sha256",
        "sort=-pk;drop",
        "state=second",
        "state=approve",
        "source=nowhere",
        "licence=%00",
        "shortest=-1",
        "score_from=11",
        "score_to=nan",
        "scored=perhaps",
        "longest=1e9999",
        "longest=99999999999999999999",
        "batch=1e400",
        "batch=nan",
        "imported_from=2026-13-45",
        "after=x",
        "after=99999999999999999999999",
        "before=-1",
        "page_size=1000000000",
        "size=1000000000",
        "id=1e9999",
        "id__in=1",
        "q=%00",
        f"q={'长' * 5_000}",
        "page=2",
    ],
)
def test_43_44_what_no_filter_is_or_takes_is_refused_without_a_query_for_records(gao: User, query: str) -> None:
    record()
    client = signed_in(gao)
    with CaptureQueriesContext(connection) as asked:
        page = client.get(f"{LIST}?{query}")
    assert page.status_code == 400
    assert b'role="alert"' in page.content
    assert not any("review_record" in query["sql"] for query in asked)


def test_44_a_megabyte_of_words_is_refused(lin: User) -> None:
    assert signed_in(lin).get(LIST, {"q": "长" * 350_000}).status_code == 400


@pytest.mark.parametrize(
    "words", ["%", "_", "\\", "%%%", "100%", "'", '"', "--", "; DROP", "(a+)+$", "[", "*", ".*", "$1", "\\u4e00"]
)
def test_44_45_signs_with_a_meaning_elsewhere_are_searched_for_as_they_are(lin: User, words: str) -> None:
    holding, other = record(output=f"甲{words}乙"), record(output="别的内容")
    read()
    found = shown(signed_in(lin), q=words)
    assert holding.pk in found
    assert other.pk not in found


def test_45_a_search_takes_its_time_from_the_texts_and_not_from_the_words(lin: User) -> None:
    record(output="a" * 20_000)
    read()
    client = signed_in(lin)
    client.get(LIST, {"q": "b"})
    started = time.perf_counter()
    assert shown(client, q=f"{'a' * 150}!") == []
    assert len(shown(client, q="a" * 200)) == 1
    assert time.perf_counter() - started < 2 * 0.2 + 1  # on a busy machine


@pytest.mark.parametrize("asked", [{}, {"q": "回答"}, {"state": "waiting"}, {"source": "zhihu"}, {"reach": "inside"}])
def test_a_page_asks_the_same_number_of_questions_however_many_records_it_shows(
    lin: User, asked: dict[str, str]
) -> None:
    client, counts = signed_in(lin), []
    for _round in range(2):
        add_records("zhihu", [candidate() for _number in range(10)])
        read()
        client.get(LIST, asked)
        with CaptureQueriesContext(connection) as queries:
            client.get(LIST, asked)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 22


def test_who_is_limited_to_sources_is_not_offered_others(lin: User, ruozhiba: Source) -> None:
    lin.sources.set([ruozhiba])
    page = signed_in(lin).get(LIST).content.decode()
    assert findall(r'<option value="([a-z-]+)"', page.split('name="source"')[1].split("</select>")[0]) == ["ruozhiba"]
    assert 'name="reviewer"' not in page


def test_a_page_is_merged_from_the_parts_that_an_index_gives_in_order(lin: User) -> None:
    for source in ("zhihu", "mba", "zhihu", "douban"):
        record(source)
    done = record("zhihu")
    approve(done, lin)
    by_hand = list(
        Record.objects.filter(source__slug__in=["zhihu", "douban"]).order_by("-pk").values_list("pk", flat=True)
    )
    sources = list(Source.objects.filter(slug__in=["zhihu", "douban"]).values_list("pk", flat=True))
    records = Record.objects.filter(source__in=sources)
    choice = browsing.Choice(records, browsing.by_place(sources, None))
    assert choice.grid is not None
    assert len(choice.grid.values) == 12
    assert choice.ordered(newest=True, after=None, most=10) == by_hand
    assert choice.ordered(newest=False, after=by_hand[2], most=10) == [by_hand[1], by_hand[0]]
    assert browsing.Choice(records).ordered(newest=True, after=by_hand[0], most=2) == by_hand[1:3]


def test_what_somebody_decided_is_leafed_through_once_each_both_ways(lin: User, gao: User) -> None:
    made = [record("zhihu", output="长" * 40 if number % 2 else "短。") for number in range(6)]
    for one in made:
        approve(one, lin)
    sending_back.send_back(by=gao, records=[made[0].pk, made[1].pk], reason="再看看", to=sending_back.ITS_REVIEWER)
    made[1].refresh_from_db()
    approve(made[1], lin)
    read()

    def found(asked: str, **place: object) -> list[int]:
        asking = RecordFilter(QueryDict(asked), by=gao)
        assert not asking.problems()
        choice = asking.choice()
        assert choice.lead is not None
        assert choice.count() == len(choice.ordered(newest=True, after=None, most=10))
        return choice.ordered(**{"newest": True, "after": None, "most": 10} | place)

    theirs = [one.pk for one in made[1:]]  # what was sent back counts no more
    assert found("reviewer=lin") == theirs[::-1]
    assert found("reviewer=lin", newest=False, after=theirs[1], most=2) == theirs[2:4]
    assert found("reviewer=lin&state=approved&shortest=30") == [made[5].pk, made[3].pk, made[1].pk]
    assert found("shortest=30", after=made[5].pk, most=1) == [made[3].pk]
    assert found("longest=5", newest=False) == [made[0].pk, made[2].pk, made[4].pk]
    assert found("reviewer=gao") == []
    for value, one in enumerate(made):
        Score.objects.create(record=one, value=value, scorer="rules")
    assert found("score_from=3") == [made[5].pk, made[4].pk, made[3].pk]
    assert found("score_from=0&score_to=2&longest=5", after=made[2].pk) == [made[0].pk]


def test_filters_go_along_in_the_address(lin: User) -> None:
    add_records("zhihu", [candidate() for _number in range(30)])
    page = signed_in(lin).get(LIST, {"source": "zhihu", "sort": "oldest", "size": "25", "state": "waiting"})
    assert set(unescape(page.context["later"]).removeprefix("?").split("&")) >= {
        *("source=zhihu", "sort=oldest", "size=25", "state=waiting")
    }


def test_no_filter_leads_to_anything_but_what_is_named() -> None:
    assert set(RecordFilter.base_filters) == {
        *(
            "q",
            "source",
            "category",
            "state",
            "verified",
            "major",
            "minor",
            "domain",
            "answer_from",
            "flag",
            "licence",
            "reach",
        ),
        *("near", "shortest", "longest", "score_from", "score_to", "scored"),
        *("imported_from", "imported_to", "batch", "reviewer", "assignee", "sent_back", "gone"),
    }
    assert {each.method for each in RecordFilter.base_filters.values()} == {
        *(
            "by_words",
            "by_source",
            "by_category",
            "by_state",
            "by_verified",
            "by_label",
            "by_flag",
            "by_licence",
            "by_reach",
        ),
        *(
            "by_near",
            "by_bound",
            "by_scored",
            "by_date",
            "by_batch",
            "by_reviewer",
            "by_assignee",
            "by_sent_back",
            "by_gone",
        ),
    }
    assert not Decision.objects.exists()

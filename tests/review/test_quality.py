"""Figures of quality: equal to reference values, and counted right."""

from collections import Counter
from datetime import timedelta
from typing import Any

import krippendorff
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from rapidfuzz.distance import Levenshtein

from review import claims, decisions, golds, quality, sending_back
from review.agreement import alpha, kappa
from review.models import Decision, Pause, Record, State, User, Verdict
from tests.factories import add_records, approve, candidate, judgement, record
from tests.review.reviewing import reload, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.core]

MOST_QUERIES = 16


def units(*coders: str) -> list[list[str]]:
    """Answers by coder, a dot for none, as answers by question."""
    return [[answer for answer in question if answer != "."] for question in zip(*coders, strict=True)]


@pytest.mark.parametrize(
    ("coders", "published"),
    [
        # Krippendorff, Computing Krippendorff's Alpha-Reliability (2011): examples A and C
        (("0100000010", "1110010000"), 0.095),
        (("123321412...", "1233224125.3", ".3332342251.", "12332441251."), 0.743),
        # the example of the encyclopaedia's article
        ((".....34121133.3", "1.213343.......", "..21344.21133.4"), 0.691),
    ],
)
def test_alpha_equals_what_is_published(coders: tuple[str, ...], published: float) -> None:
    found = alpha(units(*coders))
    assert found is not None
    assert found == pytest.approx(published, abs=0.0006)


@pytest.mark.parametrize(
    ("table", "published"), [((20, 5, 10, 15), 0.4), ((45, 15, 25, 15), 0.1304), ((25, 35, 5, 35), 0.2593)]
)
def test_kappa_equals_what_is_published(table: tuple[int, ...], published: float) -> None:
    cells = [("yes", "yes"), ("yes", "no"), ("no", "yes"), ("no", "no")]
    pairs = [cell for cell, times in zip(cells, table, strict=True) for _ in range(times)]
    assert kappa(pairs) == pytest.approx(published, abs=0.0001)


def test_what_is_not_defined_is_none() -> None:
    assert (kappa([]), kappa([("a", "a")]), alpha([]), alpha([["a", "a"]]), alpha([["a"], ["b"]])) == (None,) * 5
    assert kappa([("a", "a"), ("b", "b")]) == 1
    assert alpha([["a", "a"], ["b", "b"]]) == 1


SAID = "AAAARRAAAR", "AARARRAEAA"
"""What two reviewers say of ten records: approve as it is, edit, reject."""


def said(given: Record, by: User, letter: str) -> Decision:
    if letter == "R":
        return decisions.decide(by=by, record=given.pk, judgement=judgement(given, Verdict.REJECT))
    edits = {"output": "天空之所以是蓝色的，因为大气散射。"} if letter == "E" else {}
    return approve(given, by, **edits)


def both(lin: User, mei: User, source: str = "ruozhiba") -> list[Record]:
    batch = add_records(source, [candidate() for _ in SAID[0]])
    Record.objects.filter(batch=batch).update(wanted=2)
    records = list(Record.objects.filter(batch=batch).select_related("revision").order_by("pk"))
    for given, one, other in zip(records, *SAID, strict=True):
        said(given, lin, one)
        said(given, mei, other)
    return records


def test_agreement_equals_the_reference_on_the_same_answers(lin: User, mei: User) -> None:
    records = both(lin, mei)
    found = quality.agreement(quality.looks())
    coded = [[{"A": 0, "E": 0, "R": 1}[letter] for letter in letters] for letters in SAID]
    assert found.alpha_verdict == round(float(krippendorff.alpha(coded, level_of_measurement="nominal")), 4)
    table = Counter(zip(*coded, strict=True))
    observed = (table[0, 0] + table[1, 1]) / 10
    marginals = [[Counter(row)[value] / 10 for value in (0, 1)] for row in coded]
    chance = sum(marginals[0][value] * marginals[1][value] for value in (0, 1))
    assert found.kappa_verdict == round((observed - chance) / (1 - chance), 4)
    assert (found.looks, found.agreed) == (10, 7)
    edited = records[7].revision
    texts = [
        f"{edited.instruction}\0{edited.input}\0{out}" for out in (edited.output, "天空之所以是蓝色的，因为大气散射。")
    ]
    approved_pairs = sum(one != "R" and other != "R" for one, other in zip(*SAID, strict=True))
    assert found.distance == round(Levenshtein.normalized_distance(*texts) / approved_pairs, 4)


def test_a_decision_taken_back_is_no_look_and_one_sent_back_is(lin: User, mei: User, gao: User) -> None:
    given = record()
    Record.objects.filter(pk=given.pk).update(wanted=2)
    first = approve(given, lin)
    decisions.undo(by=lin, decision=first)
    said(given, lin, "R")
    said(given, mei, "R")
    assert [look.verdict for unit in quality.looks() for look in unit] == ["reject", "reject"]
    sending_back.send_back(by=gao, records=[given.pk], reason="x")
    assert len(quality.looks()) == 1


def test_figures_by_source_week_and_pair(lin: User, mei: User, shen: User) -> None:
    both(lin, mei)
    both(lin, shen, "law-gee")
    found = quality.looks()
    assert set(quality.agreement_by(found, quality.by_source)) == {"ruozhiba", "law-gee"}
    (week,) = quality.agreement_by(found, quality.by_week)
    assert week.weekday() == 0
    pairs = quality.agreement_of_pairs(found)
    assert {pair: figures.looks for pair, figures in pairs.items()} == {
        tuple(sorted((lin.pk, mei.pk))): 10,
        tuple(sorted((lin.pk, shen.pk))): 10,
    }


def test_what_a_card_states_is_frozen_at_a_moment(lin: User, mei: User) -> None:
    both(lin, mei)
    last = Decision.objects.latest("at").at
    before = quality.agreement_of(["ruozhiba"], until=last)
    both(lin, mei)
    assert quality.agreement_of(["ruozhiba"], until=last) == before
    assert before["looked_at_twice"] == 10
    assert quality.agreement_of(["ruozhiba"])["looked_at_twice"] == 20
    assert quality.agreement_of(["zhihu"]) == {
        "looked_at_twice": 0,
        "agreed": 0,
        "alpha_verdict": None,
        "alpha_labels": None,
        "edit_distance": None,
    }


def test_how_a_reviewer_works_is_counted(lin: User, mei: User, shen: User, gao: User) -> None:
    records = both(lin, mei)
    for given in records:
        if reload(given).state == State.DISPUTED:
            approve(given, shen)
    sending_back.send_back(by=gao, records=[records[0].pk], reason="x")
    found = quality.worked()
    one, other = found[lin.pk], found[mei.pk]
    assert (one.done, other.done) == (10, 10)
    assert (one.edited, other.edited) == (0, 1)
    assert (one.looks, one.agreed, other.agreed) == (10, 7, 7)
    # one: sent back 1, rejected what the settler approved 1; other: sent back 1, rejected 1, edited 1
    assert (one.sent_back, one.overturned, other.overturned) == (1, 2, 3)
    assert one.verdicts == {"approve": 7, "reject": 3, "rewrite": 0, "escalate": 0}
    assert one.median_seconds == 0
    assert quality.worked([mei.pk]).keys() == {mei.pk}


def test_gold_answers_are_scored(lin: User, gao: User) -> None:
    for verdict in (Verdict.REJECT, Verdict.APPROVE):
        given = record()
        decisions.decide(by=gao, record=given.pk, judgement=judgement(given, Verdict.REJECT))
        gold = golds.mark(by=gao, record=reload(given), reason="x")
        claims.claim_gold(by=lin, record=given.pk)
        golds.decide(by=lin, record=gold.record_id, judgement=judgement(given, verdict))
    assert (quality.worked()[lin.pk].gold, quality.worked()[lin.pk].gold_score) == (2, 0.5)


@pytest.mark.parametrize(("number", "runs"), [(9, 0), (12, 1)])
def test_runs_of_quick_approvals_are_asked_about(lin: User, number: int, runs: int) -> None:
    for _ in range(number):
        approve(record(), lin, seconds=2)
    approve(record(), lin, seconds=60)
    found = quality.worked()[lin.pk]
    assert (found.quick_runs, found.longest_quick_run) == (runs, 12 if runs else 0)


def test_pages_take_the_same_few_queries_whatever_they_count(lin: User, mei: User, shen: User, gao: User) -> None:
    client, seen = signed_in(gao), []
    pages = [reverse(f"review:{name}") for name in ("quality", "quality-people", "mine", "gold")]
    for source in ("ruozhiba", "law-gee", "zhihu"):
        both(lin, mei, source)
        both(lin, shen, source)
        numbers = []
        for page in pages:
            with CaptureQueriesContext(connection) as queries:
                assert client.get(page).status_code == 200
            numbers.append(len(queries))
        seen.append(numbers)
    assert seen[1] == seen[2]
    assert max(seen[2]) <= MOST_QUERIES


def test_the_page_of_second_looks_saves_and_draws(gao: User) -> None:
    add_records("ruozhiba", [candidate() for _ in range(20)])
    client, page = signed_in(gao), reverse("review:second-looks", args=["ruozhiba"])
    given: dict[str, Any] = {"second_looks": "12.5", "second_looks_seed": "s", "looks": "3", "looks_at_flagged": "on"}
    assert client.post(page, given).status_code == 303
    assert 'value="12.5' in client.get(page).content.decode()
    more = reverse("review:second-looks-more", args=["ruozhiba"])
    assert client.post(more, {"second_looks": "25", "looks": "2"}).status_code == 303
    assert Record.objects.filter(wanted=2).count() == 5
    for bad in ({}, {"second_looks": "101", "looks": "2"}, {"second_looks": "x", "looks": "9"}):
        assert client.post(page, bad).status_code == 422
    assert client.post(more, {"second_looks": "-1", "looks": "2"}).status_code == 422


def test_one_record_is_sent_back_by_its_page(lin: User, shen: User) -> None:
    given = record()
    approve(given, lin)
    client, page = signed_in(shen), reverse("review:record-send-back", args=[given.pk])
    assert client.get(page).status_code == 200
    assert client.post(page, {"reason": "", "to": ""}).status_code == 422
    assert client.post(page, {"reason": "x", "to": "999999"}).status_code == 422
    assert client.post(page, {"reason": "漏译", "to": "reviewer"}).status_code == 303
    assert reload(given).assignee == lin
    assert client.post(page, {"reason": "漏译", "to": ""}).status_code == 409
    assert "漏译" in signed_in(lin).get(reverse("review:mine")).content.decode()


def test_a_record_becomes_gold_by_its_page(lin: User, shen: User) -> None:
    given = record()
    client, page = signed_in(shen), reverse("review:record-gold", args=[given.pk])
    assert client.post(page, {"reason": "x"}).status_code == 409
    approve(given, lin)
    assert client.post(page, {"reason": " "}).status_code == 422
    assert client.post(page, {"reason": "请核对年代"}).status_code == 303
    listed = client.get(reverse("review:gold")).content.decode()
    assert "请核对年代" in listed
    gold = given.golds.get()
    assert client.post(reverse("review:gold-retire", args=[gold.pk])).status_code == 303
    assert "retired" in client.get(reverse("review:gold")).content.decode()


def test_a_missed_gold_is_shown_afterwards_with_its_reason(lin: User, gao: User) -> None:
    given = record()
    decisions.decide(by=gao, record=given.pk, judgement=judgement(given, Verdict.REJECT))
    golds.mark(by=gao, record=reload(given), reason="整段抄自广告")
    claims.claim_gold(by=lin, record=given.pk)
    golds.decide(by=lin, record=given.pk, judgement=judgement(given))
    mine = reverse("review:mine")
    assert "整段抄自广告" not in signed_in(lin).get(mine).content.decode()
    approve(record(), lin)
    assert "整段抄自广告" in signed_in(lin).get(mine).content.decode()


def test_a_paused_reviewer_is_let_on_by_a_manager(lin: User, gao: User) -> None:
    pause = Pause.objects.create(reviewer=lin, reason="两次答错")
    client = signed_in(gao)
    assert "两次答错" in client.get(reverse("review:quality-people")).content.decode()
    assert client.post(reverse("review:pause-lift", args=[pause.pk])).status_code == 303
    pause.refresh_from_db()
    assert pause.lifted_by == gao
    assert pause.lifted_at
    assert pause.lifted_at - pause.at < timedelta(minutes=5)

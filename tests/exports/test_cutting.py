"""What a cut freezes: exactly what its policy lets leave at that moment, and counts that add up."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F, QuerySet

from exports import cutting, releases
from exports.models import Release, ReleaseRow
from exports.options import Options
from review import sealing
from review.decisions import decide
from review.models import Cause, Licence, Record, Seal, Source, State, Takedown, User, Verdict, Withdrawal
from review.refused import Ground, Refused
from review.retractions import retract
from review.rights import decide_rights
from review.workflow import move
from tests.exports.conftest import Approved, approve_waiting, cut, policy
from tests.factories import add_records, approve, candidate, judgement, record
from tests.review.forging import forge

pytestmark = [pytest.mark.django_db, pytest.mark.core]
EVERY = [*Licence.values, None]
"""Every licence, and no rights at all."""

LEAVING = {
    "open": Licence.open(),
    "research": Licence.research(),
    "internal": Licence.research() | {Licence.FAIR_USE, Licence.UNKNOWN},
}


def take_down(records: "QuerySet[Record]") -> None:
    takedown = Takedown.objects.create(requester="某人", ground="著作权", received_on="2024-01-01", state="confirmed")
    move(records, cause=Cause.TAKE_DOWN, by=None, takedown=takedown)


def held(licence: str | None) -> str:
    known = {"restricted": "rights-restricted", "objected": "rights-objected", "unknown": "rights-unknown"}
    return known.get(licence or "unknown", "licence-not-in-policy")


@pytest.mark.parametrize("slug", sorted(LEAVING))
@pytest.mark.parametrize("licence", EVERY, ids=lambda licence: licence or "none")
def test_cut_by_policy_and_licence(approved: Approved, slug: str, licence: str | None) -> None:
    approved(2, licence=licence)
    release = cut(slug=slug)
    leaves = (licence or "unknown") in LEAVING[slug]
    assert release.records == ReleaseRow.objects.count() == (2 if leaves else 0)
    assert release.held_back == ({} if leaves else {"ruozhiba": {held(licence): 2}})


def test_policies_of_the_house_are_as_stated() -> None:
    assert {slug: set(policy(slug).licences) for slug in LEAVING} == LEAVING


def test_record_rights_override_batch_and_source(approved: Approved, ruozhiba: Source) -> None:
    decide_rights(ruozhiba, by=None, licence="CC0-1.0")
    free = approved(2, licence=None)
    approved(2, licence="restricted")
    closed = Record.objects.filter(batch=free).earliest("pk")
    decide_rights(closed, by=None, licence="restricted")
    release = cut()
    assert list(release.rows.values_list("record__batch", "rights__licence")) == [(free.pk, "CC0-1.0")]
    assert release.held_back == {"ruozhiba": {"rights-restricted": 3}}


def test_cut_leaves_out_what_is_not_approved(lin: User, approved: Approved) -> None:
    approved(1)
    add_records("ruozhiba", [candidate()], licence="MIT")
    release = cut()
    assert (release.records, release.held_back) == (1, {})


def test_cut_counts_why_records_are_held_back(approved: Approved) -> None:
    approved(5)
    approved(3, licence=None)
    approved(2, source="mba", licence="CC-BY-NC-4.0")
    gone = approved(2)
    take_down(Record.objects.filter(batch=gone))
    retract(approved(1, source="mba"), by=None)
    release = cut(slug="open")
    assert release.records == 5
    assert release.held_back == {
        "mba": {"licence-not-in-policy": 2, "retracted": 1},
        "ruozhiba": {"rights-unknown": 3, "taken-down": 2},
    }
    held_back = sum(number for counts in release.held_back.values() for number in counts.values())
    assert release.records + held_back == Record.objects.filter(state=State.APPROVED).count()


def test_plan_counts_what_the_cut_then_holds(
    approved: Approved, django_assert_num_queries: Callable[[int], Any]
) -> None:
    approved(2)
    approved(3, source="mba", licence=None)
    chosen = policy()
    with django_assert_num_queries(2):
        plan = releases.plan(policy=chosen, options=Options())
    assert (plan.records, plan.total, plan.reasons) == ({"ruozhiba": 2}, 2, {"rights-unknown": 3})
    release = cut()
    assert {source["slug"]: source["records"] for source in release.sources} == plan.records
    assert release.held_back == plan.held_back


def test_cut_orders_rows_by_source_and_id(approved: Approved) -> None:
    for source in ("zhihu", "100poison", "mba", "zhihu"):
        approved(2, source=source)
    release = cut()
    found = list(release.rows.order_by("position").values_list("position", "record__source__slug", "record_id"))
    assert [row[0] for row in found] == list(range(1, 9))
    assert [row[1:] for row in found] == sorted(row[1:] for row in found)
    described = [(source["slug"], source["records"]) for source in release.sources]
    assert described == [("100poison", 2), ("mba", 2), ("zhihu", 4)]


def test_cut_of_chosen_sources(approved: Approved) -> None:
    for source in ("zhihu", "mba", "poem"):
        approved(1, source=source)
    approved(1, source="mba", licence=None)
    approved(1, source="poem", licence=None)
    release = cut(sources=("mba", "zhihu"))
    assert [source["slug"] for source in release.sources] == ["mba", "zhihu"]
    assert release.held_back == {"mba": {"rights-unknown": 1}}
    assert release.options == {"sources": ["mba", "zhihu"], "formats": ["cqia"]}


def test_cut_freezes_the_wording_and_its_decision(approved: Approved, lin: User, mei: User) -> None:
    given = record()
    decision = approve(given, mei, output="改过的回答。")
    release = cut(slug="internal")
    Withdrawal.objects.create(decision=decision, kind="send_back", by=mei)
    again = Record.objects.filter(pk=given.pk)
    move(again, cause=Cause.SEND_BACK, by=mei, state=State.WAITING, verdict=None, round=2)
    approve(again.get(), lin, output="再次改过。")
    assert list(release.rows.values_list("revision__output", "verdict")) == [("改过的回答。", decision.pk)]


@pytest.mark.parametrize("version", ["", "../v1", "a/b", "v1\x00", "x" * 100, "con/../x", "v1-internal"])
def test_cut_under_a_bad_name_is_refused(approved: Approved, version: str) -> None:
    approved()
    with pytest.raises(Refused) as refusal:
        cut(version)
    assert refusal.value.ground == Ground.INVALID
    assert not Release.objects.exists()


@pytest.mark.parametrize("version", ["v1", "V1"])
def test_cut_twice_under_one_name_is_refused(approved: Approved, version: str) -> None:
    approved()
    cut("v1")
    with pytest.raises(Refused, match="exists already") as refusal:
        cut(version)
    assert refusal.value.ground == Ground.CONFLICT


def test_cut_source_called_all_is_refused(approved: Approved, ruozhiba: Source) -> None:
    approved()
    Source.objects.filter(pk=ruozhiba.pk).update(slug="all")
    with pytest.raises(Refused, match="all"):
        cut()
    assert not ReleaseRow.objects.exists()


def test_cut_takes_few_statements(approved: Approved, django_assert_max_num_queries: Callable[[int], Any]) -> None:
    approved(3)
    for source in ("zhihu", "mba", "poem"):
        approved(2, source=source)
    chosen = policy()
    with django_assert_max_num_queries(12):
        cutting.cut(version="v1", policy=chosen, options=Options(), by=None)


@pytest.mark.django_db(transaction=True)
def test_f15_cut_by_two_at_once_makes_one_release(approved: Approved) -> None:
    """F15: the second is told while the first is at it, and again when it is done."""
    approved()
    answers: list[str] = []

    def cut_as_well() -> None:
        try:
            cut()
            answers.append("cut")
        except Refused as refused:
            answers.append(str(refused))
        finally:
            connection.close()

    with transaction.atomic():
        cut()
        rival = threading.Thread(target=cut_as_well)
        rival.start()
        rival.join()
    assert len(answers) == 1
    assert "being cut at this moment" in answers[0]
    with pytest.raises(Refused, match="exists already"):
        cut()
    assert Release.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_f16_decisions_that_arrive_during_the_cut_are_in_or_out_whole(approved: Approved, lin: User) -> None:
    """F16: what the statement counts is what it writes, however much is approved meanwhile."""
    approved(20)
    stop = threading.Event()

    def go_on_approving() -> None:
        while not stop.is_set():
            add_records("ruozhiba", [candidate() for _ in range(3)], licence="MIT")
            approve_waiting(lin)
        connection.close()

    reviewer = threading.Thread(target=go_on_approving)
    reviewer.start()
    try:
        cuts = [cut(f"v{number}") for number in range(8)]
    finally:
        stop.set()
        reviewer.join()
    for release in cuts:
        rows = release.rows.order_by("position")
        assert release.records == rows.count() == sum(source["records"] for source in release.sources)
        assert [row.position for row in rows] == list(range(1, release.records + 1))
        assert not rows.exclude(verdict__revision=F("revision")).exists()
    assert cuts[0].records < cuts[-1].records


def test_cut_states_how_far_those_agree_who_judged_the_same(lin: User, mei: User, shen: User) -> None:
    batch = add_records("ruozhiba", [candidate() for _ in range(4)], licence="CC0-1.0")
    Record.objects.filter(batch=batch).update(wanted=2)
    records = list(Record.objects.filter(batch=batch).order_by("pk"))
    for given in records[:3]:
        approve(given, lin)
        approve(given, mei, **({"output": "另一种写法。"} if given == records[2] else {}))
    approve(records[2], shen)
    for by in (lin, mei):
        decide(by=by, record=records[3].pk, judgement=judgement(records[3], Verdict.REJECT))
    release = cut(slug="open")
    assert release.records == 3
    assert {name: release.agreement[name] for name in ("several", "agreed", "settled")} == {
        "several": 3,
        "agreed": 2,
        "settled": 1,
    }
    assert release.agreement["alpha_verdict"] == 1
    assert 0 < release.agreement["edit_distance"] < 1


@pytest.mark.parametrize(
    "forgery",
    [
        "DELETE FROM exports_releaserow WHERE position = 2",
        "UPDATE exports_releaserow SET rights_id = NULL WHERE position = 1",
        "UPDATE exports_releaserow SET position = 4 WHERE position = 3",
    ],
)
def test_rows_changed_behind_the_history_are_named(approved: Approved, forgery: str) -> None:
    approved(3)
    release = cut()
    sealing.seal()
    assert list(sealing.verify()) == []
    forge(forgery)
    assert list(sealing.verify()) == ["release v1: its rows were changed, removed or added to"]
    forge("UPDATE exports_release SET rows_sha256 = NULL")
    seal = Seal.objects.get(kind="release", row=release.pk)
    assert list(sealing.verify()) == [f"release {release.pk} was changed, or its seal {seal.no}"]

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.conf import settings
from django.db import connection
from django.test import Client
from django.utils import timezone

from review import claims, decisions, waiting
from review.models import Claim, Decision, Draft, Record, Role, Source, State, User, Verdict
from review.refused import Ground, Refused
from review.waiting import Part, Skipped
from tests.conftest import person
from tests.factories import add_records, approve, candidate, judgement, record
from tests.review.reviewing import form

pytestmark = [pytest.mark.django_db, pytest.mark.core]


def next_for(user: User, **narrowed: Any) -> Record | None:
    claim = claims.claim_next(by=User.objects.get(pk=user.pk), part=Part(**narrowed))
    return Record.objects.get(pk=claim.record_id) if claim else None


def end_lease() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE review_claim SET lease_until = clock_timestamp() - interval '1 second'")


def waiting_records(number: int, source: str = "ruozhiba") -> list[Record]:
    batch = add_records(source, [candidate() for _ in range(number)])
    return list(Record.objects.filter(batch=batch).select_related("revision").order_by("pk"))


def at_once[T, R](work: Callable[[T], R], given: Sequence[T]) -> list[R]:
    """Do the work for all given at the same moment, in as many threads; raise what any of them raised."""
    barrier = Barrier(len(given))

    def run(one: T) -> R:
        barrier.wait()
        try:
            return work(one)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(given)) as pool:
        return list(pool.map(run, given))


# What comes next


def test_next_goes_by_priority_and_then_by_age(lin: User) -> None:
    first, second, urgent = waiting_records(3)
    Record.objects.filter(pk=urgent.pk).update(priority=5)
    for expected in (urgent, first, second):
        assert next_for(lin) == expected
        approve(expected, lin)
    assert next_for(lin) is None


def test_next_is_the_record_already_held(lin: User) -> None:
    waiting_records(2)
    assert next_for(lin) == next_for(lin)
    assert Claim.objects.count() == 1


def test_records_assigned_to_the_person_come_first_and_to_others_never(lin: User, mei: User) -> None:
    _open, for_lin, for_mei = waiting_records(3)
    Record.objects.filter(pk=for_lin.pk).update(assignee=lin)
    Record.objects.filter(pk=for_mei.pk).update(assignee=mei)
    assert next_for(lin) == for_lin
    approve(for_lin, lin)
    assert next_for(lin) == _open
    approve(_open, lin)
    assert next_for(lin) is None


def test_records_without_an_answer_come_last(lin: User) -> None:
    unanswered, answered = record(output=""), record()
    assert next_for(lin) == answered
    approve(answered, lin)
    assert next_for(lin) == unanswered


def test_a_second_look_goes_to_somebody_else(lin: User, mei: User) -> None:
    first, second = waiting_records(2)
    Record.objects.filter(pk=second.pk).update(wanted=2)
    approve(second, lin)
    assert next_for(lin) == first
    assert next_for(mei) == second


def test_next_stays_within_the_sources_of_the_person(lin: User, law_gee: Source, ruozhiba: Source) -> None:
    lin.sources.set([law_gee])
    waiting_records(1)
    assert next_for(lin) is None
    assert next_for(lin, source=ruozhiba.pk) is None
    (wanted,) = waiting_records(1, "law-gee")
    assert next_for(lin) == wanted


def test_next_of_one_source(lin: User, law_gee: Source) -> None:
    waiting_records(2)
    (wanted,) = waiting_records(1, "law-gee")
    assert next_for(lin, source=law_gee.pk) == wanted


def test_what_was_skipped_comes_back_when_asked_for(lin: User, mei: User) -> None:
    (given,) = waiting_records(1)
    next_for(lin)
    claims.skip_record(by=lin, record=given.pk)
    assert next_for(lin) is None
    assert waiting.outlook(by=lin)[:3] == (False, 0, 1)
    assert next_for(mei) == given
    assert waiting.outlook(by=lin)[:3] == (False, 1, 0)
    claims.release_claim(by=mei, record=given.pk)
    assert next_for(lin, skipped=Skipped.ALSO) == given


def test_disputes_go_to_settlers_who_took_no_part(lin: User, shen: User, gao: User) -> None:
    own, other = waiting_records(2)
    for given, by in ((own, shen), (other, lin)):
        decisions.decide(by=by, record=given.pk, judgement=judgement(given, Verdict.ESCALATE))
    assert next_for(shen, purpose=Claim.Purpose.SETTLE) == other
    assert next_for(gao, purpose=Claim.Purpose.SETTLE) == own
    with pytest.raises(Refused) as refused:
        next_for(lin, purpose=Claim.Purpose.SETTLE)
    assert refused.value.ground == Ground.FORBIDDEN


def test_waiting_is_counted_without_what_the_person_decided(lin: User, mei: User) -> None:
    given, _other = waiting_records(2)
    Record.objects.filter(pk=given.pk).update(wanted=2)
    approve(given, lin)
    assert waiting.waiting_for(lin).count() == 1
    assert waiting.waiting_for(mei).count() == 2
    assert [(source.slug, number) for source, number in waiting.waiting_by_source(mei)] == [("ruozhiba", 2)]


# Holding


def test_a_claim_ends_by_itself(lin: User, mei: User) -> None:
    (given,) = waiting_records(1)
    next_for(lin)
    assert next_for(mei) is None
    end_lease()
    assert claims.current_claim(by=lin) is None
    assert next_for(mei) == given


@pytest.mark.parametrize("hours", [-1, 1, 24 * 366])
def test_a_lease_runs_by_the_clock_of_the_database(lin: User, mei: User, hours: int) -> None:
    waiting_records(1)
    next_for(lin)
    with time_machine.travel(timezone.now() + timedelta(hours=hours)):
        assert claims.current_claim(by=lin) is not None
        assert next_for(mei) is None


def test_a_lease_is_lengthened_also_late_but_not_for_another(lin: User, mei: User) -> None:
    (given,) = waiting_records(1)
    claim = claims.claim_next(by=lin)
    assert claim is not None
    end_lease()
    assert claims.extend_claim(by=lin, token=claim.token)
    assert claims.current_claim(by=lin) is not None
    assert not claims.extend_claim(by=mei, token=claim.token)
    end_lease()
    next_for(mei)
    assert not claims.extend_claim(by=lin, token=claim.token)
    assert waiting.running_claim(given.pk, lin) == Claim.objects.get(reviewer=mei)


def test_a_lease_is_as_long_as_the_setting_says(lin: User) -> None:
    waiting_records(1)
    claims.claim_next(by=lin)
    with connection.cursor() as cursor:
        cursor.execute("SELECT lease_until - clock_timestamp() FROM review_claim")
        (left,) = cursor.fetchone()
    assert settings.CLAIM_LEASE - timedelta(seconds=30) < left <= settings.CLAIM_LEASE


def test_a_record_held_by_another_cannot_be_claimed(lin: User, mei: User) -> None:
    (given,) = waiting_records(1)
    next_for(mei)
    with pytest.raises(Refused):
        claims.claim_record(by=lin, record=given)
    claims.release_claim(by=mei, record=given.pk)
    assert claims.claim_record(by=lin, record=given).reviewer_id == lin.pk


def test_a_decided_record_cannot_be_claimed(lin: User, mei: User) -> None:
    (given,) = waiting_records(1)
    approve(given, lin)
    with pytest.raises(Refused):
        claims.claim_record(by=mei, record=Record.objects.get(pk=given.pk))


def test_a_dispute_is_claimed_for_settling_and_by_settlers_only(lin: User, mei: User, shen: User) -> None:
    (given,) = waiting_records(1)
    decisions.decide(by=lin, record=given.pk, judgement=judgement(given, Verdict.ESCALATE))
    disputed = Record.objects.get(pk=given.pk)
    with pytest.raises(Refused) as refused:
        claims.claim_record(by=mei, record=disputed)
    assert refused.value.ground == Ground.CONFLICT  # as for what another holds: she is not to know that it is disputed
    assert not Claim.objects.filter(reviewer=mei).exists()
    assert claims.claim_record(by=shen, record=disputed).purpose == Claim.Purpose.SETTLE


# Many at once


@pytest.mark.django_db(transaction=True)
def test_f9_eight_reviewers_press_next_two_hundred_times_at_once() -> None:
    expected = {given.pk for given in waiting_records(1600)}
    done = person("done", Role.REVIEWER)
    reviewers = [person(f"reviewer-{n}", Role.REVIEWER) for n in range(8)]

    def press_next(reviewer: User) -> list[int]:
        got = []
        for _press in range(200):
            claim = claims.claim_next(by=reviewer)
            assert claim is not None
            got.append(claim.record_id)
            Record.objects.filter(pk=claim.record_id).update(assignee=done)  # out of the queue, without a decision
            Claim.objects.filter(pk=claim.pk).delete()
        return got

    served = at_once(press_next, reviewers)
    counted = Counter(pk for got in served for pk in got)
    assert set(counted) == expected
    assert set(counted.values()) == {1}


@pytest.mark.django_db(transaction=True)
def test_eight_threads_of_two_reviewers_decide_five_hundred_records_once_each(lin: User, mei: User) -> None:
    given = waiting_records(500)

    def work(name: str) -> int:
        me, decided = User.objects.get(username=name), 0
        while (claim := claims.claim_next(by=me)) is not None:
            record = Record.objects.get(pk=claim.record_id)
            said = decisions.Judgement(Verdict.REJECT, record.revision_id, uuid4(), reason="测试")
            try:
                decisions.decide(by=me, record=record.pk, judgement=said)
            except Refused:  # another thread of the same person was first
                continue
            decided += 1
        return decided

    assert sum(at_once(work, ("lin", "mei") * 4)) == 500
    assert Decision.objects.values("record").distinct().count() == Decision.objects.count() == len(given)
    assert not Record.objects.exclude(state=State.REJECTED).exists()
    assert not Claim.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_people_claim_the_same_record_at_once(lin: User, mei: User) -> None:
    for given in waiting_records(20):

        def claim(user: User, given: Record = given) -> bool:
            try:
                claims.claim_record(by=user, record=given)
            except Refused:
                return False
            return True

        assert sorted(at_once(claim, [lin, mei])) == [False, True]
        Claim.objects.all().delete()


# Late and double


def test_f10_a_decision_after_the_lease_is_refused_once_another_took_the_record(lin: User, mei: User) -> None:
    (given,) = waiting_records(1)
    next_for(lin)
    end_lease()
    assert next_for(mei) == given
    late = Client()
    late.force_login(lin)
    answer = late.post(f"/review/records/{given.pk}/decide/", form(given, output="我的答案"))
    assert answer.status_code == 409
    assert "我的答案" in answer.content.decode()
    assert Draft.objects.get(reviewer=lin).fields["output"] == "我的答案"
    approve(given, mei)
    assert Decision.objects.get().reviewer == mei


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("edit", [{}, {"output": "改好的答案"}])
def test_f11_the_same_form_eight_times_at_once_is_one_decision(lin: User, edit: dict[str, str]) -> None:
    given, following = waiting_records(2)
    said = form(given, **edit)
    clients = [Client() for _ in range(8)]
    for client in clients:
        client.force_login(lin)
    address = f"/review/records/{given.pk}/decide/"
    answers = at_once(lambda client: client.post(address, said), clients)
    assert {(answer.status_code, answer["Location"]) for answer in answers} == {
        (303, f"/review/records/{following.pk}/")
    }
    assert Decision.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_edits_at_once_one_is_taken_and_one_refused(lin: User, mei: User) -> None:
    for given in waiting_records(10):

        def decide(user: User, given: Record = given) -> str:
            said = judgement(given, output=f"{user}的答案")
            try:
                decisions.decide(by=user, record=given.pk, judgement=said)
            except Refused as refused:
                return refused.ground
            return "taken"

        assert sorted(at_once(decide, [lin, mei])) == [Ground.CONFLICT, "taken"]

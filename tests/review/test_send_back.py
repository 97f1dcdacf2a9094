"""Decided records go back for another round: one, or many at once."""

import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from review import claims, decisions, sending_back
from review.models import Claim, Decision, Move, Record, Retraction, Source, State, User, Verdict, Withdrawal
from review.refused import Ground, Refused
from review.waiting import Part
from tests.conftest import person
from tests.factories import approve, judgement, record
from tests.review.approving import approved
from tests.review.reviewing import reload

pytestmark = [pytest.mark.django_db, pytest.mark.core]


def send_back(given: Record, by: User, **said: object) -> int:
    return sending_back.send_back(by=by, records=[given.pk], **({"reason": "再看一遍"} | said))


def decide(given: Record, by: User, verdict: Verdict, **said: object) -> Decision:
    return decisions.decide(by=by, record=given.pk, judgement=judgement(given, verdict, **said))


def test_send_back_withdraws_what_counted_and_starts_another_round(lin: User, gao: User) -> None:
    given = record()
    decision = approve(given, lin)
    assert send_back(given, gao) == 1
    after = reload(given)
    assert (after.state, after.round, after.verdict, after.human_verified) == (State.WAITING, 2, None, False)
    withdrawal = Withdrawal.objects.get()
    assert (withdrawal.decision, withdrawal.kind, withdrawal.by, withdrawal.reason) == (
        decision,
        Withdrawal.Kind.SEND_BACK,
        gao,
        "再看一遍",
    )
    last = Move.objects.filter(record=given).latest("pk")
    assert (last.cause, last.by, last.from_state, last.to_state, last.round) == (
        "send_back",
        gao,
        State.APPROVED,
        State.WAITING,
        2,
    )


def test_send_back_keeps_the_wording_as_it_stands(lin: User, gao: User) -> None:
    given = record()
    approve(given, lin, output="改过的回答。")
    send_back(given, gao)
    assert reload(given).revision.output == "改过的回答。"


@pytest.mark.parametrize("state", [State.REJECTED, State.SECOND, State.DISPUTED, State.WAITING])
def test_send_back_from_every_state_in_which_something_was_decided(
    lin: User, mei: User, gao: User, state: State
) -> None:
    given = record()
    if state == State.SECOND:
        Record.objects.filter(pk=given.pk).update(wanted=2)
        approve(given, lin)
    else:
        verdicts = {
            State.REJECTED: (Verdict.REJECT, {}),
            State.DISPUTED: (Verdict.ESCALATE, {}),
            State.WAITING: (Verdict.REWRITE, {"output": "重写。"}),
        }
        verdict, said = verdicts[state]
        decide(given, lin, verdict, **said)
    assert reload(given).state == state
    assert send_back(given, gao) == 1
    after = reload(given)
    assert (after.state, after.round) == (State.WAITING, 2)
    Record.objects.filter(pk=given.pk).update(wanted=1)
    approve(given, mei)
    assert reload(given).human_verified


def test_send_back_of_a_prompt_without_an_answer_asks_for_one_again(lin: User, gao: User) -> None:
    given = record(output="")
    decide(given, lin, Verdict.REJECT)
    send_back(given, gao)
    assert reload(given).state == State.UNANSWERED


def test_send_back_to_its_reviewer_gives_each_record_to_the_one_who_decided(lin: User, mei: User, gao: User) -> None:
    first, second = record(), record()
    approve(first, lin)
    approve(second, mei)
    sending_back.send_back(
        by=gao, records=Record.objects.filter(state=State.APPROVED), reason="漏字", to=sending_back.ITS_REVIEWER
    )
    assert (reload(first).assignee, reload(second).assignee) == (lin, mei)
    claim = claims.claim_next(by=mei)
    assert claim is not None
    assert claim.record_id == second.pk


def test_send_back_to_its_reviewer_who_left_goes_to_the_queue(lin: User, gao: User) -> None:
    given = record()
    approve(given, lin)
    lin.is_active = False
    lin.save()
    send_back(given, gao, to=sending_back.ITS_REVIEWER)
    assert reload(given).assignee is None


def test_send_back_to_a_person_is_theirs_alone(lin: User, mei: User, gao: User) -> None:
    given = record()
    approve(given, lin)
    send_back(given, gao, to=mei)
    assert claims.claim_next(by=lin) is None
    claim = claims.claim_next(by=mei)
    assert claim is not None
    assert claim.record_id == given.pk


def test_send_back_to_somebody_who_may_not_review_it_is_refused(
    lin: User, mei: User, tao: User, gao: User, law_gee: Source
) -> None:
    given = record()
    approve(given, lin)
    mei.sources.set([law_gee])
    for somebody in (tao, mei):
        with pytest.raises(Refused) as refused:
            send_back(given, gao, to=somebody)
        assert refused.value.ground == Ground.INVALID
    assert reload(given).human_verified


def test_a_decision_ends_the_assignment_so_that_a_second_look_finds_somebody(lin: User, mei: User, gao: User) -> None:
    given = record()
    Record.objects.filter(pk=given.pk).update(wanted=2)
    approve(given, lin)
    send_back(given, gao, to=lin)
    approve(given, lin)
    after = reload(given)
    assert (after.state, after.assignee) == (State.SECOND, None)
    assert claims.claim_next(by=mei) is not None


def test_nobody_is_given_their_own_wording_unless_it_was_sent_back_to_them(lin: User, gao: User) -> None:
    given = record()
    approve(given, lin, output="改过的。")
    send_back(given, gao)
    assert claims.claim_next(by=lin) is None
    with pytest.raises(Refused) as refused:
        approve(given, lin)
    assert refused.value.ground == Ground.FORBIDDEN
    decide(given, gao, Verdict.ESCALATE)
    send_back(given, gao, to=lin)
    assert claims.claim_next(by=lin) is not None
    approve(given, lin)


def test_an_answer_written_from_nothing_is_not_approved_by_its_author_in_the_next_round_either(
    lin: User, mei: User, gao: User
) -> None:
    given = record(output="")
    decide(given, lin, Verdict.REWRITE, output="从头写的。", answer_from="human")
    approve(given, mei)
    send_back(given, gao, to=lin)
    with pytest.raises(Refused) as refused:
        approve(given, lin)
    assert refused.value.ground == Ground.FORBIDDEN


def test_failed_gold_is_looked_at_again_by_others_only(lin: User, mei: User, gao: User) -> None:
    given = record()
    approve(given, lin)
    send_back(given, gao, kind=Withdrawal.Kind.GOLD)
    assert claims.claim_next(by=lin) is None
    with pytest.raises(Refused):
        approve(given, lin)
    assert claims.claim_next(by=mei) is not None


def test_send_back_ends_claims_and_lets_the_late_form_be_refused(lin: User, shen: User, gao: User) -> None:
    given = record()
    decide(given, lin, Verdict.ESCALATE)
    claims.claim_next(by=shen, part=Part(Claim.Purpose.SETTLE))
    late = judgement(given)
    send_back(given, gao)
    assert not Claim.objects.exists()
    assert decisions.decide(by=shen, record=given.pk, judgement=late).kind == Decision.Kind.REVIEW


def test_a_decision_sent_back_cannot_be_undone(lin: User, gao: User) -> None:
    given = record()
    decision = approve(given, lin)
    send_back(given, gao)
    with pytest.raises(Refused):
        decisions.undo(by=lin, decision=decision)


def test_send_back_leaves_alone_what_nobody_decided_on_and_what_is_gone(lin: User, gao: User) -> None:
    untouched, decided, gone = record(), record(), record()
    approve(decided, lin)
    approve(gone, lin)
    from review import retractions  # noqa: PLC0415  only here

    retractions.retract(gone.batch, by=gao)
    assert Retraction.objects.exists()
    assert sending_back.send_back(by=gao, records=Record.objects.all(), reason="全部") == 1
    assert (reload(untouched).round, reload(decided).round, reload(gone).round) == (1, 2, 1)
    with pytest.raises(Refused):
        send_back(untouched, gao)


def test_send_back_says_why(lin: User, gao: User) -> None:
    given = record()
    approve(given, lin)
    with pytest.raises(Refused) as refused:
        send_back(given, gao, reason="  ")
    assert list(refused.value.fields) == ["reason"]


def test_send_back_is_for_settlers_and_managers(lin: User, mei: User, shen: User) -> None:
    given = record()
    approve(given, lin)
    with pytest.raises(Refused) as refused:
        send_back(given, mei)
    assert refused.value.ground == Ground.FORBIDDEN
    assert send_back(given, shen) == 1


def test_send_back_reaches_no_source_that_the_person_may_not_see(lin: User, shen: User, law_gee: Source) -> None:
    given = record("ruozhiba")
    approve(given, lin)
    shen.sources.set([law_gee])
    with pytest.raises(Refused) as refused:
        send_back(given, shen)
    assert refused.value.ground == Ground.FORBIDDEN
    assert reload(given).human_verified


def test_a_thousand_go_back_in_one_step(gao: User) -> None:
    reviewers = [person(f"reviewer{number}", "reviewer") for number in range(12)]
    ids = approved(1000, reviewers)
    started = time.perf_counter()
    with CaptureQueriesContext(connection) as queries:
        assert sending_back.send_back(by=gao, records=ids, reason="整批打回", to=sending_back.ITS_REVIEWER) == 1000
    assert time.perf_counter() - started <= 2
    assert len(queries) <= 18
    assert not Record.objects.filter(human_verified=True).exists()
    assert Record.objects.filter(state=State.WAITING, round=2).exclude(assignee=None).count() == 1000
    assert Move.objects.filter(cause="send_back", by=gao).count() == 1000
    assert Withdrawal.objects.filter(kind="send_back", by=gao).count() == 1000

"""Records whose answer is known come back unseen; who fails is told, and in the end paused."""

import itertools
from typing import Any

import pytest
from django.urls import reverse
from pytest_django.fixtures import Settings

from review import access, claims, decisions, golds, sending_back
from review.models import (
    Claim,
    Decision,
    Gold,
    GoldAnswer,
    Move,
    Pause,
    Record,
    State,
    User,
    Verdict,
    Withdrawal,
)
from review.refused import Ground, Refused
from tests.factories import approve, judgement, record
from tests.review.reviewing import address, form, reload, signed_in, text_area

pytestmark = [pytest.mark.django_db, pytest.mark.core]

GOOD, BAD = "天空是蓝色的，因为大气散射蓝光。", "天空是绿色的，因为草是绿色的。"


@pytest.fixture(autouse=True)
def _always(settings: Settings) -> None:
    settings.GOLD_EVERY, settings.GOLD_FAILURES, settings.GOLD_SENDS_BACK = 1, 2, 3


def edited_gold(gao: User) -> Gold:
    """A record that came in with a wrong answer and was approved with the right one."""
    given = record(output=BAD)
    approve(given, gao, output=GOOD)
    return golds.mark(by=gao, record=reload(given), reason="答案张冠李戴")


def rejected_gold(gao: User) -> Gold:
    given = record()
    decisions.decide(by=gao, record=given.pk, judgement=judgement(given, Verdict.REJECT))
    return golds.mark(by=gao, record=reload(given), reason="广告")


def on(gold: Gold, verdict: Verdict = Verdict.APPROVE, **said: Any) -> decisions.Judgement:
    """What a reviewer says of gold, which they see in the wording that was decided on."""
    base = judgement(gold.record, verdict, **said)
    wording = decisions.Wording.of(gold.shown)
    edits = {name: said[name] for name in said if hasattr(wording, name)}
    fields = {name: edits.get(name, getattr(wording, name)) for name in decisions.Wording.__dataclass_fields__}
    meant = decisions.Wording(**fields) if edits else None
    return decisions.Judgement(verdict, gold.shown_id, base.request_id, meant, base.rights, base.reason, base.seconds)


def take(by: User) -> Claim:
    claim = claims.claim_next(by=User.objects.get(pk=by.pk))
    assert claim is not None
    return claim


def test_gold_comes_back_like_any_waiting_record(lin: User, gao: User) -> None:
    gold = edited_gold(gao)
    record()
    client = signed_in(lin)
    answer = client.post("/review/next/")
    assert answer["Location"] == address("", gold.record)
    page = client.get(answer["Location"])
    assert text_area(page.content, "output") == BAD
    assert b"waiting</span>" in page.content
    assert GOOD not in page.content.decode()
    assert b'value="approve"' in page.content
    assert Claim.objects.get().purpose == Claim.Purpose.GOLD


def test_an_answer_to_gold_never_touches_the_record(lin: User, gao: User) -> None:
    gold = edited_gold(gao)
    record()
    before, moves = vars(reload(gold.record)), Move.objects.count()
    take(lin)
    decision = golds.decide(by=lin, record=gold.record_id, judgement=on(gold, output="我的新答案，天空是蓝色的。"))
    after = vars(reload(gold.record))
    assert (decision.kind, decision.approves) == (Decision.Kind.GOLD, False)
    assert {k: v for k, v in after.items() if k != "_state"} == {k: v for k, v in before.items() if k != "_state"}
    assert Move.objects.count() == moves
    assert not Claim.objects.exists()


@pytest.mark.parametrize(
    ("verdict", "said", "right"),
    [
        (Verdict.APPROVE, {"output": GOOD}, True),
        (Verdict.APPROVE, {"output": "天空是蓝色的，因为大气更多地散射蓝光。"}, True),
        (Verdict.APPROVE, {}, False),
        (Verdict.APPROVE, {"output": "天空是红色的，因为花是红色的。完全不对，还更长了许多许多。"}, False),
        (Verdict.REJECT, {}, False),
        (Verdict.REWRITE, {"output": GOOD}, True),
        (Verdict.ESCALATE, {}, True),
    ],
)
def test_what_is_right_where_the_answer_had_to_be_mended(
    lin: User, gao: User, verdict: Verdict, said: dict[str, Any], *, right: bool
) -> None:
    gold = edited_gold(gao)
    record()
    take(lin)
    golds.decide(by=lin, record=gold.record_id, judgement=on(gold, verdict, **said))
    assert GoldAnswer.objects.get().is_right is right


@pytest.mark.parametrize(("verdict", "right"), [(Verdict.REJECT, True), (Verdict.APPROVE, False)])
def test_what_is_right_where_the_record_was_rejected(lin: User, gao: User, verdict: Verdict, *, right: bool) -> None:
    gold = rejected_gold(gao)
    record()
    take(lin)
    golds.decide(by=lin, record=gold.record_id, judgement=on(gold, verdict))
    assert GoldAnswer.objects.get().is_right is right


def test_gold_is_answered_once_by_each_and_not_by_whoever_decided(lin: User, mei: User, gao: User) -> None:
    gold = edited_gold(gao)
    record()
    assert take(gao).record_id != gold.record_id
    Claim.objects.all().delete()
    assert {take(lin).record_id, take(mei).record_id} == {gold.record_id}
    golds.decide(by=lin, record=gold.record_id, judgement=on(gold, output=GOOD))
    assert take(lin).record_id != gold.record_id


def test_gold_comes_only_while_something_waits(lin: User, gao: User) -> None:
    edited_gold(gao)
    assert claims.claim_next(by=lin) is None


def test_gold_comes_about_once_in_so_many(settings: Settings, lin: User, gao: User) -> None:
    settings.GOLD_EVERY, settings.GOLD_FAILURES = 4, 99
    for _ in range(12):
        edited_gold(gao)
    for _ in range(30):
        record()
    kinds = []
    for _ in range(30):
        claim = take(lin)
        kinds.append(claim.purpose)
        if claim.purpose == Claim.Purpose.GOLD:
            gold = Gold.objects.get(record=claim.record_id)
            golds.decide(by=lin, record=claim.record_id, judgement=on(gold, output=GOOD))
        else:
            approve(claim.record, lin)
    gaps = {len(list(run)) for purpose, run in itertools.groupby(kinds) if purpose == Claim.Purpose.REVIEW}
    assert 1 <= kinds.count("gold") <= 15
    assert len(gaps) > 1, "at regular distances everybody could count them out"


def test_the_page_answers_like_for_any_other_record(lin: User, gao: User) -> None:
    gold = edited_gold(gao)
    following = record()
    client = signed_in(lin)
    client.post("/review/next/")
    shown = reload(gold.record)
    shown.revision = gold.shown
    answer = client.post(address("decide", shown), form(shown))
    assert (answer.status_code, answer["Location"]) == (303, address("", following))
    assert f"Approved #{shown.pk}" in client.get(answer["Location"]).content.decode()
    again = client.post(reverse("review:decision-undo", args=[Decision.objects.latest("pk").pk]))
    assert again["Location"] == address("", shown)
    assert Withdrawal.objects.get().kind == Withdrawal.Kind.UNDO
    assert text_area(client.get(again["Location"]).content, "output") == BAD


def test_gold_put_aside_is_taken_up_again_like_any_other_record(lin: User, gao: User) -> None:
    gold = edited_gold(gao)
    record()
    client = signed_in(lin)
    client.post("/review/next/")
    shown = reload(gold.record)
    shown.revision = gold.shown
    client.post(address("skip", shown), form(shown))
    again = client.post(address("unskip", shown))
    assert again["Location"] == address("", shown)
    assert text_area(client.get(again["Location"]).content, "output") == BAD
    assert client.post(address("unskip", shown)).status_code == 303
    assert Claim.objects.get(record=shown, reviewer=lin).purpose == Claim.Purpose.GOLD


def test_the_same_form_twice_is_one_answer(lin: User, gao: User) -> None:
    gold = edited_gold(gao)
    record()
    take(lin)
    said = on(gold)
    first = golds.decide(by=lin, record=gold.record_id, judgement=said)
    assert golds.decide(by=lin, record=gold.record_id, judgement=said) == first


def test_an_answer_cannot_be_taken_back_once_the_next_was_given(lin: User, gao: User) -> None:
    gold = edited_gold(gao)
    other = record()
    take(lin)
    decision = golds.decide(by=lin, record=gold.record_id, judgement=on(gold))
    approve(other, lin)
    with pytest.raises(Refused):
        golds.undo(by=lin, decision=decision)


def fail(lin: User, gao: User, times: int) -> None:
    for _ in range(times):
        gold = rejected_gold(gao)
        claims.claim_gold(by=lin, record=gold.record_id)
        golds.decide(by=User.objects.get(pk=lin.pk), record=gold.record_id, judgement=on(gold))


def test_failures_pause_and_put_the_last_decisions_back_for_another(lin: User, mei: User, gao: User) -> None:
    done = [record() for _ in range(5)]
    for given in done:
        approve(given, lin)
    held = record()
    take(lin)
    Claim.objects.filter(record=held, reviewer=lin).exists()
    fail(lin, gao, 2)
    pause = Pause.objects.get()
    assert (pause.reviewer, pause.sent_back, pause.lifted_at) == (lin, 3, None)
    assert [reload(given).state for given in done] == [State.APPROVED] * 2 + [State.WAITING] * 3
    assert Withdrawal.objects.filter(kind="gold", by=None).count() == Withdrawal.objects.count() == 3
    assert not Claim.objects.filter(reviewer=lin).exists()
    back = {reload(given).pk for given in done[2:]}
    taken = set()
    for _ in range(10):
        claim = claims.claim_next(by=mei)
        if claim is None:
            break
        if claim.purpose == Claim.Purpose.REVIEW:
            taken.add(claim.record_id)
            approve(claim.record, mei)
        else:
            gold = Gold.objects.get(record=claim.record_id)
            golds.decide(by=mei, record=claim.record_id, judgement=on(gold, Verdict.REJECT))
    assert back <= taken


def test_a_paused_reviewer_gets_nothing_and_decides_nothing_until_it_is_lifted(lin: User, gao: User) -> None:
    fail(lin, gao, 2)
    waiting, paused = record(), User.objects.get(pk=lin.pk)
    assert access.is_paused(paused)
    for verb in (lambda: claims.claim_next(by=paused), lambda: approve(waiting, paused)):
        with pytest.raises(Refused) as refused:
            verb()
        assert refused.value.ground == Ground.FORBIDDEN
    assert signed_in(paused).post("/review/next/").status_code == 403
    golds.lift(by=gao, pause=Pause.objects.get())
    back = User.objects.get(pk=lin.pk)
    assert claims.claim_next(by=back) is not None
    assert golds.failures(back).count() == 0


def test_what_a_settler_decided_can_be_gold_and_what_is_open_cannot(lin: User, shen: User) -> None:
    given = record()
    with pytest.raises(Refused):
        golds.mark(by=shen, record=given, reason="x")
    decisions.decide(by=lin, record=given.pk, judgement=judgement(given, Verdict.ESCALATE))
    settled = approve(given, shen, output=GOOD)
    gold = golds.mark(by=shen, record=reload(given), reason="x")
    assert (gold.decision, gold.shown_id) == (settled, given.revision_id)
    with pytest.raises(Refused):
        golds.mark(by=shen, record=reload(given), reason="x")
    golds.retire(by=shen, gold=gold)
    golds.mark(by=shen, record=reload(given), reason="y")


def test_marking_gold_is_for_settlers(lin: User, mei: User) -> None:
    given = record()
    approve(given, lin)
    with pytest.raises(Refused) as refused:
        golds.mark(by=mei, record=reload(given), reason="x")
    assert refused.value.ground == Ground.FORBIDDEN


def test_gold_that_was_sent_back_is_given_to_nobody(lin: User, gao: User) -> None:
    gold = edited_gold(gao)
    sending_back.send_back(by=gao, records=[gold.record_id], reason="x")
    Record.objects.filter(pk=gold.record_id).update(assignee=gao)
    other = record()
    assert take(lin).record_id == other.pk

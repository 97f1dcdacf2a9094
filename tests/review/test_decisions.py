from uuid import uuid4

import pytest

from review import claims, decisions
from review.models import (
    Claim,
    Decision,
    Draft,
    Licence,
    Move,
    Record,
    Revision,
    Source,
    State,
    User,
    Verdict,
    Withdrawal,
)
from review.refused import Ground, Refused
from review.waiting import Part
from tests.factories import add_records, approve, candidate, judgement, record

pytestmark = [pytest.mark.django_db, pytest.mark.core]


def reload(given: Record) -> Record:
    return Record.objects.select_related("revision", "verdict", "rights").get(pk=given.pk)


def test_approve_unchanged_keeps_the_revision(lin: User) -> None:
    given = record()
    decision = approve(given, lin)
    after = reload(given)
    assert (after.state, after.human_verified, after.verdict) == (State.APPROVED, True, decision)
    assert after.revision_id == given.revision_id
    assert Revision.objects.filter(record=given).count() == 1


def test_approve_with_edit_writes_a_revision_by_the_reviewer(lin: User) -> None:
    given = record()
    approve(given, lin, output="改好的回答。")
    after = reload(given)
    assert (after.revision.number, after.revision.author, after.revision.output) == (2, lin, "改好的回答。")
    assert after.human_verified


def test_reject_without_reason_is_refused_by_field(lin: User) -> None:
    given = record()
    with pytest.raises(Refused) as refused:
        decisions.decide(by=lin, record=given.pk, judgement=judgement(given, Verdict.REJECT, reason=" "))
    assert refused.value.ground == Ground.INVALID
    assert "reason" in refused.value.fields
    assert reload(given).state == State.WAITING


@pytest.mark.parametrize(
    ("edit", "field"),
    [
        ({"instruction": " "}, "instruction"),
        ({"output": ""}, "output"),
        ({"answer_from": ""}, "answer_from"),
        ({"major": ()}, "major"),
        ({"domain": ()}, "domain"),
        ({"rights": None}, "rights"),
    ],
)
def test_approve_without_what_it_takes_names_the_field(lin: User, edit: dict[str, object], field: str) -> None:
    given = record()
    with pytest.raises(Refused) as refused:
        approve(given, lin, **edit)
    assert list(refused.value.fields) == [field]
    assert not Decision.objects.exists()


def test_unknown_rights_do_not_block_the_approval(lin: User) -> None:
    given = record()
    approve(given, lin)
    assert reload(given).state == State.APPROVED
    assert not Record.objects.releasable(Licence.research()).exists()
    assert Record.objects.releasable(Licence.research() | {Licence.UNKNOWN}).exists()


def test_setting_rights_concerns_this_record_only(lin: User) -> None:
    add_records("ruozhiba", [candidate(), candidate()])
    first, second = Record.objects.select_related("revision").order_by("pk")
    said = decisions.SaidOfRights(Decision.RightsSaid.SET, "CC-BY-4.0", "某作者", "© 某作者")
    approve(first, lin, rights=said)
    approve(second, lin)
    released = vars(Record.objects.releasable(Licence.open()).get())
    assert (released["id"], released["copyright"], released["holder"]) == (first.pk, "© 某作者", "某作者")


def test_objection_holds_the_record_back_under_every_policy(lin: User) -> None:
    add_records("ruozhiba", [candidate()], licence="CC0-1.0")
    given = Record.objects.select_related("revision").get()
    approve(given, lin, rights=decisions.SaidOfRights(Decision.RightsSaid.OBJECT))
    assert reload(given).human_verified
    assert not Record.objects.releasable(Licence.values).exists()


def test_same_request_twice_is_one_decision(lin: User) -> None:
    given = record()
    said = judgement(given)
    first = decisions.decide(by=lin, record=given.pk, judgement=said)
    assert decisions.decide(by=lin, record=given.pk, judgement=said) == first
    assert Decision.objects.count() == 1


def test_request_id_of_another_person_is_refused(lin: User, mei: User) -> None:
    given = record()
    said = judgement(given)
    decisions.decide(by=lin, record=given.pk, judgement=said)
    with pytest.raises(Refused):
        decisions.decide(by=mei, record=given.pk, judgement=said)


def test_decision_on_an_outdated_text_is_refused(lin: User, mei: User) -> None:
    given = record()
    outdated = judgement(given)
    decisions.decide(by=mei, record=given.pk, judgement=judgement(given, Verdict.REWRITE, output="新写的回答。"))
    with pytest.raises(Refused) as refused:
        decisions.decide(by=lin, record=given.pk, judgement=outdated)
    assert refused.value.ground == Ground.CONFLICT
    assert Decision.objects.count() == 1


def test_decision_on_a_record_held_by_another_is_refused(lin: User, mei: User) -> None:
    given = record()
    claims.claim_record(by=mei, record=given)
    with pytest.raises(Refused) as refused:
        approve(given, lin)
    assert refused.value.ground == Ground.CONFLICT


def test_second_decision_on_a_decided_record_is_refused(lin: User, mei: User) -> None:
    given = record()
    late = judgement(given)
    approve(given, lin)
    with pytest.raises(Refused):
        decisions.decide(by=mei, record=given.pk, judgement=late)


def test_rewrite_waits_for_somebody_else(lin: User, mei: User) -> None:
    given = record(output="")
    assert given.state == State.UNANSWERED
    rewritten = judgement(given, Verdict.REWRITE, output="从头写的回答。", answer_from="human")
    decisions.decide(by=lin, record=given.pk, judgement=rewritten)
    assert reload(given).state == State.WAITING
    assert claims.claim_next(by=lin) is None
    with pytest.raises(Refused) as refused:
        approve(given, lin)
    assert refused.value.ground == Ground.FORBIDDEN
    approve(given, mei)
    assert reload(given).human_verified


def test_overlap_hides_the_first_wording_until_the_outcome(lin: User, mei: User) -> None:
    given = record()
    Record.objects.filter(pk=given.pk).update(wanted=2)
    approve(given, lin, output="同样改法。")
    between = reload(given)
    assert (between.state, between.revision_id, between.human_verified) == (State.SECOND, given.revision_id, False)
    assert claims.claim_next(by=lin) is None
    claim = claims.claim_next(by=mei)
    assert claim is not None
    assert claim.record_id == given.pk
    approve(given, mei, output="同样改法。")
    after = reload(given)
    assert (after.state, after.revision.author) == (State.APPROVED, lin)


def test_differing_wordings_go_to_a_settler_who_took_no_part(lin: User, mei: User, shen: User) -> None:
    given = record()
    Record.objects.filter(pk=given.pk).update(wanted=2)
    approve(given, lin, output="甲的改法。")
    approve(given, mei, output="乙的改法。")
    assert reload(given).state == State.DISPUTED
    with pytest.raises(Refused):
        approve(given, lin)
    claim = claims.claim_next(by=shen, part=Part(Claim.Purpose.SETTLE))
    assert claim is not None
    decision = approve(given, shen, output="仲裁后的写法。")
    assert (decision.kind, reload(given).revision.output) == (Decision.Kind.SETTLE, "仲裁后的写法。")


def test_undo_gives_the_record_and_the_typed_text_back(lin: User) -> None:
    given = record()
    decision = approve(given, lin, output="改过的。")
    claim = decisions.undo(by=lin, decision=decision)
    after = reload(given)
    assert (after.state, after.human_verified, after.revision_id) == (State.WAITING, False, given.revision_id)
    assert (claim.record_id, claim.reviewer) == (given.pk, lin)
    assert Draft.objects.get(record=given, reviewer=lin).fields["output"] == "改过的。"
    assert Withdrawal.objects.get().decision == decision


def test_undo_restores_the_rights_that_were_before(lin: User) -> None:
    given = record()
    decision = approve(given, lin, rights=decisions.SaidOfRights(Decision.RightsSaid.SET, "CC0-1.0"))
    assert reload(given).rights is not None
    decisions.undo(by=lin, decision=decision)
    assert reload(given).rights is None


def test_undone_decision_can_be_made_again(lin: User) -> None:
    given = record()
    decisions.undo(by=lin, decision=approve(given, lin))
    again = approve(given, lin)
    assert (again.attempt, reload(given).state) == (2, State.APPROVED)


def test_undo_is_refused_once_another_decision_builds_on_it(lin: User, mei: User) -> None:
    given = record()
    rewritten = decisions.decide(by=lin, record=given.pk, judgement=judgement(given, Verdict.REWRITE, output="重写。"))
    approve(given, mei)
    with pytest.raises(Refused):
        decisions.undo(by=lin, decision=rewritten)


def test_undo_is_for_the_person_who_decided(lin: User, mei: User) -> None:
    given = record()
    decision = approve(given, lin)
    with pytest.raises(Refused) as refused:
        decisions.undo(by=mei, decision=decision)
    assert refused.value.ground == Ground.FORBIDDEN


def test_every_change_leaves_a_move_with_cause_and_person(lin: User) -> None:
    given = record()
    decisions.undo(by=lin, decision=approve(given, lin))
    moves = Move.objects.filter(record=given).order_by("pk").values_list("from_state", "to_state", "cause", "by")
    assert list(moves) == [("waiting", "approved", "decide", lin.pk), ("approved", "waiting", "undo", lin.pk)]


def test_consumer_may_not_decide(tao: User) -> None:
    given = record()
    with pytest.raises(Refused) as refused:
        approve(given, tao)
    assert refused.value.ground == Ground.FORBIDDEN


def test_reviewer_limited_to_another_source_may_not_decide(lin: User, law_gee: Source) -> None:
    lin.sources.set([law_gee])
    given = record("ruozhiba")
    with pytest.raises(Refused) as refused:
        approve(given, lin)
    assert refused.value.ground == Ground.FORBIDDEN


def test_unknown_licence_word_is_refused(lin: User) -> None:
    given = record()
    said = decisions.SaidOfRights(Decision.RightsSaid.SET, "my-own")
    with pytest.raises(Refused) as refused:
        decisions.decide(by=lin, record=given.pk, judgement=judgement(given, rights=said, request_id=uuid4()))
    assert "licence" in refused.value.fields
    assert reload(given).state == State.WAITING

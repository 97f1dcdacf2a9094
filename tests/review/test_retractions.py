"""Taking an import back: what leaves, what comes back, and that it can be imported anew."""

import pytest

from review import claims, retractions
from review.models import Batch, Cause, Claim, Licence, Move, Record, Retraction, State, User
from review.refused import Ground, Refused
from tests.factories import add_records, approve, candidate

pytestmark = [pytest.mark.django_db, pytest.mark.core]


def test_retracted_records_leave_and_their_keys_are_free(gao: User) -> None:
    lines = [candidate(), candidate(external_id="a1")]
    batch = add_records("ruozhiba", lines)
    kept = add_records("ruozhiba", [candidate()])
    retraction = retractions.retract(batch, by=gao, reason="wrong file")
    assert (retraction.by, retraction.reason) == (gao, "wrong file")
    assert [record.batch for record in Record.objects.live()] == [kept]
    assert set(Move.objects.values_list("cause", "by")) == {(Cause.RETRACT, gao.pk)}
    anew = add_records("ruozhiba", lines)
    assert Record.objects.filter(batch=anew).count() == 2


def test_retracted_record_is_no_longer_claimed_nor_claimable(lin: User) -> None:
    batch = add_records("ruozhiba", [candidate(), candidate()])
    assert claims.claim_next(by=lin) is not None
    retractions.retract(batch, by=None)
    assert not Claim.objects.exists()
    assert claims.claim_next(by=lin) is None


def test_approved_records_of_a_retracted_import_are_not_releasable(lin: User) -> None:
    batch = add_records("ruozhiba", [candidate()], licence=Licence.CC_BY, holder="某人")
    record = Record.objects.get()
    approve(record, lin)
    assert Record.objects.releasable([Licence.CC_BY]).count() == 1
    retractions.retract(batch, by=None)
    record.refresh_from_db()
    assert (record.state, record.human_verified) == (State.APPROVED, True)
    assert not Record.objects.releasable([Licence.CC_BY]).exists()


def test_wording_before_comes_back_where_nobody_has_decided() -> None:
    old = candidate(external_id="a1", output="旧")
    add_records("ruozhiba", [old])
    record = Record.objects.get()
    key = bytes(record.key)
    changing = add_records("ruozhiba", [candidate(external_id="a1", output="")])
    record.refresh_from_db()
    assert (record.state, record.revision.number) == (State.UNANSWERED, 2)
    retractions.retract(changing, by=None)
    record.refresh_from_db()
    assert (record.state, record.revision.output, bytes(record.key), record.retraction) == ("waiting", "旧", key, None)


def test_wording_skips_what_other_retracted_imports_said() -> None:
    batches = [add_records("ruozhiba", [candidate(external_id="a1", output=text)]) for text in "甲乙丙"]
    retractions.retract(batches[1], by=None)
    assert Record.objects.get().revision.output == "丙"
    retractions.retract(batches[2], by=None)
    assert Record.objects.get().revision.output == "甲"


def test_decision_on_a_wording_stays_when_its_import_is_retracted(lin: User) -> None:
    add_records("ruozhiba", [candidate(external_id="a1", output="旧")])
    changing = add_records("ruozhiba", [candidate(external_id="a1", output="新")])
    record = Record.objects.get()
    approve(record, lin)
    retractions.retract(changing, by=None)
    record.refresh_from_db()
    assert (record.state, record.revision.output) == (State.APPROVED, "新")


def test_wording_that_waited_can_be_imported_again_after_its_retraction(lin: User) -> None:
    add_records("ruozhiba", [candidate(external_id="a1", output="旧")])
    record = Record.objects.get()
    approve(record, lin)
    new = candidate(external_id="a1", output="新")
    retractions.retract(add_records("ruozhiba", [new]), by=None)
    add_records("ruozhiba", [new])
    assert list(record.revisions.order_by("number").values_list("output", flat=True)) == ["旧", "新", "新"]


def test_import_is_taken_back_once(gao: User) -> None:
    batch = add_records("ruozhiba", [candidate()])
    retractions.retract(batch, by=gao)
    with pytest.raises(Refused) as refused:
        retractions.retract(Batch.objects.get(pk=batch.pk), by=gao)
    assert refused.value.ground == Ground.CONFLICT
    assert Retraction.objects.count() == 1


def test_only_managers_take_imports_back(lin: User) -> None:
    batch = add_records("ruozhiba", [candidate()])
    with pytest.raises(Refused) as refused:
        retractions.retract(batch, by=lin)
    assert refused.value.ground == Ground.FORBIDDEN
    assert Record.objects.live().count() == 1

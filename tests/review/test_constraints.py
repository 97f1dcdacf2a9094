"""Each named constraint, broken on purpose; and the ways to forge a verification, refused by the database."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.db import DatabaseError, IntegrityError, connection, transaction

from review.models import (
    Batch,
    BulkAction,
    BulkChange,
    Claim,
    Comment,
    Decision,
    Draft,
    Erased,
    Evidence,
    Flag,
    Gold,
    Guideline,
    Inspected,
    Inspection,
    Label,
    NearDuplicate,
    Pause,
    Record,
    Reflagging,
    Revision,
    Rights,
    Score,
    Seal,
    SearchRun,
    SearchShelf,
    SignatureBand,
    SignatureRun,
    Skip,
    Source,
    Takedown,
    TakedownMatch,
    TakedownStep,
    Token,
    Unread,
    User,
    Verdict,
    Withdrawal,
)
from tests.factories import approve, judgement, record

pytestmark = [pytest.mark.django_db, pytest.mark.core]
LATER = datetime(2100, 1, 1, tzinfo=UTC)


def sql(statement: str, *parameters: Any) -> None:
    """Run a statement by hand, as somebody with a database shell would, its constraints checked at once."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(statement, parameters)


def revision(of: Record, **fields: object) -> Revision:
    values = {
        "number": 9,
        "instruction": "问",
        "task_type": {"major": [], "minor": []},
        "domain": [],
        "sha256": b"0" * 32,
    }
    return Revision.objects.create(record=of, **values | fields)


def decision(of: Record, by: User, **fields: object) -> Decision:
    values = {
        "revision_id": of.revision_id,
        "seen_revision_id": of.revision_id,
        "role": "reviewer",
        "verdict": "approve",
        "rights_said": "confirm",
        "round": 1,
        "request_id": uuid4(),
    }
    return Decision.objects.create(record=of, reviewer=by, **values | fields)


def evidence(of: Record, **fields: object) -> Evidence:
    rights, _created = Rights.objects.get_or_create(scope="record", record=of, licence="MIT", published_text="某人")
    values = {"name": "a.txt", "media_type": "text/plain", "size": 1, "sha256": b"0" * 32, "data": b"x"}
    return Evidence.objects.create(rights=rights, **values | fields)


def claim(of: Record, by: User, purpose: str = "review") -> Claim:
    return Claim.objects.create(record=of, reviewer=by, purpose=purpose, token=uuid4(), lease_until=LATER)


def declared(statement: str, *parameters: Any) -> None:
    """The same with a cause declared, so that only the constraint in question is left to refuse."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SELECT set_config('cqia.cause', 'decide', true)")
        cursor.execute(statement, parameters)


def past_the_history(statement: str, *parameters: Any) -> None:
    """The same as by somebody who took the constraint on moves away first."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE review_move DROP CONSTRAINT review_move_allowed")
    sql(statement, *parameters)


_attempts = count(1)

type Breach = Callable[[Record, User, User], object]

BREACHES: dict[str, Breach] = {
    "review_batch_of_source": lambda r, *_: sql(
        "INSERT INTO review_batch (id, source_id, name) SELECT id, source_id, 'x' FROM review_batch WHERE id = %s",
        r.batch_id,
    ),
    "review_claim_one_per_record": lambda r, lin, mei: (claim(r, lin), claim(r, mei)),
    "review_claim_one_per_reviewer": lambda r, lin, _: (claim(r, lin, "gold"), claim(r, lin, "inspect")),
    "review_claim_purpose_known": lambda r, lin, _: claim(r, lin, "hold"),
    "review_decision_of_revision": lambda r, lin, _: decision(r, lin, id=decision(r, lin).pk, attempt=2),
    "review_decision_once_a_try": lambda r, lin, _: (decision(r, lin), decision(r, lin)),
    "review_decision_own_revision": lambda r, lin, _: decision(r, lin, revision_id=record().revision_id),
    "review_decision_own_seen_revision": lambda r, lin, _: decision(r, lin, seen_revision_id=record().revision_id),
    "review_decision_rejection_has_reason": lambda r, lin, _: decision(r, lin, verdict="reject"),
    "review_decision_rights_said": lambda r, lin, _: decision(r, lin, rights_said=""),
    "review_decision_words_known": lambda r, lin, _: decision(r, lin, verdict="accept"),
    "review_draft_one_per_reviewer": lambda r, lin, _: [
        Draft.objects.create(record=r, reviewer=lin, seen_revision_id=r.revision_id, fields={}) for _ in "ab"
    ],
    "review_guideline_version": lambda *_: [Guideline.objects.create(version=1, text="v") for _ in "ab"],
    "review_label_kind_known": lambda *_: Label.objects.create(kind="mood", name="喜"),
    "review_label_not_its_own_alias": lambda *_: sql(
        "UPDATE review_label SET alias_of_id = id WHERE id = %s", Label.objects.create(kind="domain", name="书").pk
    ),
    "review_label_once_a_kind": lambda *_: [Label.objects.create(kind="domain", name="书") for _ in "ab"],
    "review_move_allowed": lambda r, *_: sql("UPDATE review_record SET state = 'rejected' WHERE id = %s", r.pk),
    "review_record_approved_has_verdict": lambda r, *_: declared(
        "UPDATE review_record SET state = 'approved' WHERE id = %s", r.pk
    ),
    "review_record_batch_of_source": lambda r, *_: declared(
        "UPDATE review_record SET source_id = (SELECT id FROM review_source WHERE id <> %s LIMIT 1) WHERE id = %s",
        r.source_id,
        r.pk,
    ),
    "review_record_external_id": lambda *_: [record(external_id="1") and record_beside(external_id="1")],
    "review_record_key": lambda r, *_: record_beside(key=bytes(r.key)),
    "review_record_own_revision": lambda r, *_: declared(
        "UPDATE review_record SET revision_id = %s WHERE id = %s", record().revision_id, r.pk
    ),
    "review_record_state_known": lambda r, *_: declared("UPDATE review_record SET state = 'lost' WHERE id = %s", r.pk),
    "review_record_verdict_proves": lambda r, lin, _: declared(
        "UPDATE review_record SET state = 'approved', verdict_id = %s WHERE id = %s", decision(record(), lin).pk, r.pk
    ),
    "review_record_wanted_one_to_three": lambda r, *_: sql("UPDATE review_record SET wanted = 4 WHERE id = %s", r.pk),
    "review_revision_answer_from_known": lambda r, *_: revision(r, answer_from="robot"),
    "review_revision_number": lambda r, *_: revision(r, number=1),
    "review_revision_of_record": lambda r, *_: sql(
        "INSERT INTO review_revision (id, record_id, number, instruction, input, output, task_type, domain, metadata,"
        " answer_from, sha256) SELECT id, record_id, 8, '', '', '', task_type, domain, '', '', sha256"
        " FROM review_revision WHERE record_id = %s",
        r.pk,
    ),
    "review_evidence_kind_known": lambda r, *_: evidence(r, media_type="text/html"),
    "review_evidence_once": lambda r, *_: (evidence(r), evidence(r)),
    "review_evidence_size": lambda r, *_: evidence(r, size=(10 << 20) + 1),
    "review_rights_licence_known": lambda r, *_: Rights.objects.create(
        scope="record", record=r, licence="mine", published_text="x"
    ),
    "review_rights_one_scope": lambda r, *_: Rights.objects.create(
        scope="batch", record=r, licence="MIT", published_text="x"
    ),
    "review_rights_published_text_stated": lambda r, *_: Rights.objects.create(scope="record", record=r, licence="MIT"),
    "review_seal_once": lambda *_: [Seal.objects.create(no=no, kind="move", row=1, hash=b"h") for no in (1, 2)],
    "review_skip_one_per_reviewer": lambda r, lin, _: [Skip.objects.create(record=r, reviewer=lin) for _ in "ab"],
    "review_source_second_looks_share": lambda *_: Source.objects.filter(slug="ruozhiba").update(second_looks=101),
    "review_erased_once": lambda *_: [
        Erased.objects.create(takedown=takedown, kind="decision", row=1, hashes={}) for takedown in [a_takedown()] * 2
    ],
    "review_takedown_step_state_known": lambda *_: TakedownStep.objects.create(
        takedown=a_takedown(), state="lost", matches=0, sha256=b"h"
    ),
    "review_takedown_match_once": lambda *_: [
        TakedownMatch.objects.create(takedown=takedown, key=b"k") for takedown in [a_takedown()] * 2
    ],
    "review_takedown_state_known": lambda *_: a_takedown(state="lost"),
    "review_token_scopes_known": lambda _, lin, __: Token.objects.create(user=lin, scopes=["export:everything"]),
    "review_user_email_in_any_case": lambda _, lin, mei: [
        User.objects.filter(pk=who.pk).update(email=email)
        for who, email in ((lin, "a@b.example"), (mei, "A@b.example"))
    ],
    "review_user_name_in_any_case": lambda _, lin, __: User.objects.create(username=lin.username.upper()),
    "review_bulkaction_words_known": lambda _, lin, __: bulk_action(lin, kind="approve"),
    "review_bulkaction_send_back_stays": lambda _, lin, __: bulk_action(lin, kind="send_back", state="undone"),
    "review_bulkchange_once": lambda r, lin, _: [
        BulkChange.objects.create(action=action, record=r) for action in [bulk_action(lin)] * 2
    ],
    "review_comment_says_something": lambda r, lin, _: Comment.objects.create(record=r, by=lin, round=1, text=""),
    "review_reflagging_one_running": lambda r, *_: [
        Reflagging.objects.create(source=r.source, number=0) for _time in range(2)
    ],
    "review_reflagging_ended_has_time": lambda r, *_: Reflagging.objects.create(
        source=r.source, number=0, state="done"
    ),
    "review_score_in_range": lambda r, *_: Score.objects.create(record=r, value=10.5, scorer="rules"),
    "review_score_or_reason": lambda r, *_: Score.objects.create(record=r, scorer="rules"),
    "review_flag_once_a_revision": lambda r, *_: [flag(r, r.revision_id), flag(r, r.revision_id)],
    "review_flag_of_own_revision": lambda r, *_: flag(r, record().revision_id),
    "review_gold_once_a_record": lambda r, lin, _: [gold(r, lin), gold(r, lin)],
    "review_gold_verdict_known": lambda r, lin, _: gold(r, lin, verdict="escalate"),
    "review_gold_states_its_reason": lambda r, lin, _: gold(r, lin, reason=""),
    "review_pause_one_at_a_time": lambda _, lin, __: [Pause.objects.create(reviewer=lin, reason="x") for _ in "ab"],
    "review_pause_lifted_by_somebody": lambda _, lin, __: Pause.objects.create(
        reviewer=lin, reason="x", lifted_at=LATER
    ),
    "review_inspection_state_known": lambda _, lin, __: inspection(lin, state="lost", closed_at=LATER, closed_by=lin),
    "review_inspection_sample_within_lot": lambda _, lin, __: inspection(lin, sample_size=4),
    "review_inspection_closed_by_somebody": lambda _, lin, __: inspection(lin, state="accepted"),
    "review_inspected_place": lambda r, lin, _: inspected(lin, (1, r), (1, record())),
    "review_inspected_once": lambda r, lin, _: inspected(lin, (1, r), (2, r)),
    "review_signatureband_once": lambda *_: [
        SignatureBand.objects.create(run=run, band=1, numbers=b"")
        for run in [SignatureRun.objects.create(records=b"", number=0)] * 2
    ],
    "review_searchshelf_once": lambda *_: [
        SearchShelf.objects.create(run=run, shelf=1, content=b"") for run in [SearchRun.objects.create(records=b"")] * 2
    ],
    "review_nearduplicate_once": lambda r, *_: [near(r, other) for other in [record()] * 2],
    "review_nearduplicate_in_order": lambda r, *_: near(record(), r),
    "review_nearduplicate_share": lambda r, *_: near(r, record(), similarity=1.5),
    "review_unread_task_known": lambda *_: Unread.objects.create(task="nothing", records=[1], number=1),
    "review_source_looks_two_or_three": lambda *_: Source.objects.filter(slug="ruozhiba").update(looks=4),
    "review_withdrawal_kind_known": lambda r, lin, _: Withdrawal.objects.create(
        decision=decision(r, lin), by=lin, kind="regret"
    ),
}

# The primary key stands in the same rows and is checked first; what these three are for is to be referred to.
SHADOWED = {
    "review_batch_of_source": "review_batch_pkey",
    "review_decision_of_revision": "review_decision_pkey",
    "review_revision_of_record": "review_revision_pkey",
}


def bulk_action(by: User, **fields: object) -> BulkAction:
    return BulkAction.objects.create(**{"kind": "assign", "targets": b"", "number": 0, "by": by} | fields)


def flag(of: Record, revision: int) -> Flag:
    return Flag.objects.create(record=of, revision_id=revision, rule="nul", spans=[])


def gold(of: Record, by: User, **fields: object) -> Gold:
    values = {"shown_id": of.revision_id, "decision": decision(of, by, attempt=next(_attempts)), "by": by}
    return Gold.objects.create(record=of, **values | {"verdict": "approve", "reason": "x"} | fields)


def inspection(by: User, **fields: object) -> Inspection:
    sizes = {"quality_limit": 1, "seed": "x", "lot_size": 3, "sample_size": 2, "acceptance": 0}
    return Inspection.objects.create(**sizes | {"by": by} | fields)


def inspected(by: User, *places: tuple[int, Record]) -> None:
    made = inspection(by)
    for place, given in places:
        Inspected.objects.create(
            inspection=made, place=place, record=given, decision=decision(given, by, attempt=next(_attempts))
        )


def near(first: Record, second: Record, similarity: float = 0.9) -> NearDuplicate:
    return NearDuplicate.objects.create(record=first, other=second, similarity=similarity)


def a_takedown(**fields: object) -> Takedown:
    return Takedown.objects.create(requester="某人", ground="本人作品", received_on=LATER, **fields)


def record_beside(**fields: object) -> Record:
    """A second record of the source, written past the door."""
    other = record()
    values = {"key": b"1" * 32, "state": "waiting", "revision_id": other.revision_id} | fields
    return Record.objects.create(source=other.source, batch=other.batch, **values)


@pytest.mark.parametrize("name", sorted(BREACHES))
def test_constraint_refuses_its_breach(name: str, lin: User, mei: User) -> None:
    given = record()
    with pytest.raises(IntegrityError, match=SHADOWED.get(name, name)), transaction.atomic():
        BREACHES[name](given, lin, mei)
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_every_constraint_of_review_is_broken_by_a_test() -> None:
    named = {
        constraint.name
        for model in apps.get_app_config("review").get_models()
        for constraint in model._meta.constraints
    }
    assert named == set(BREACHES)


APPEND_ONLY = [
    model._meta.db_table
    for model in apps.get_app_config("review").get_models()
    if any(trigger.name == "append_only" for trigger in getattr(model._meta, "triggers", []))
]


def test_history_tables_are_append_only() -> None:
    expected = {
        "revision",
        "original",
        "duplicate",
        "decision",
        "withdrawal",
        "rights",
        "retraction",
        "move",
        "seal",
        "guideline",
        *("categoryevent", "labelevent", "limitevent", "roleevent", "sourceevent", "tokenevent", "userevent"),
        "intake",
        "proof",
        "erased",
        "evidence",
        "takedownstep",
        *("bulkchange", "draw", "goldanswer"),
    }
    assert {table.removeprefix("review_") for table in APPEND_ONLY} == expected


@pytest.mark.parametrize("verb", ["UPDATE review_revision SET number = 7", "DELETE FROM review_revision"])
def test_append_only_row_is_not_changed(verb: str) -> None:
    given = record()
    with pytest.raises(DatabaseError, match="append-only"):
        sql(f"{verb} WHERE record_id = %s", given.pk)


@pytest.mark.parametrize("table", ["review_record", *APPEND_ONLY])
def test_append_only_table_is_not_truncated(table: str) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL cqia.allow_truncate = 'off'")
        cursor.execute(f"TRUNCATE {table} CASCADE")


def test_record_is_never_deleted() -> None:
    given = record()
    with pytest.raises(DatabaseError, match="Cannot delete"):
        sql("DELETE FROM review_record WHERE id = %s", given.pk)


class TestForgery:
    """Four ways to have `human_verified` without a person's decision on exactly this text."""

    def test_edited_text_does_not_keep_the_verdict(self, lin: User) -> None:
        given = record()
        approve(given, lin)
        other = revision(given, output="偷偷改过")
        with pytest.raises(IntegrityError, match="review_record_verdict_proves"):
            past_the_history("UPDATE review_record SET revision_id = %s WHERE id = %s", other.pk, given.pk)

    def test_rejecting_decision_proves_nothing(self, lin: User) -> None:
        given = record()
        rejecting = decision(given, lin, verdict="reject", reason="不好")
        with pytest.raises(IntegrityError, match="review_record_verdict_proves"):
            declared(
                "UPDATE review_record SET state = 'approved', verdict_id = %s WHERE id = %s", rejecting.pk, given.pk
            )

    def test_decision_on_another_record_proves_nothing(self, lin: User) -> None:
        given, other = record(), record()
        approve(other, lin)
        proof = Decision.objects.get(record=other)
        with pytest.raises(IntegrityError, match="review_record_verdict_proves"):
            declared("UPDATE review_record SET state = 'approved', verdict_id = %s WHERE id = %s", proof.pk, given.pk)

    def test_direct_write_is_refused(self) -> None:
        given = record()
        with pytest.raises(DatabaseError, match="human_verified"):
            sql("UPDATE review_record SET human_verified = true WHERE id = %s", given.pk)

    def test_withdrawn_look_alike_of_gold_proves_nothing(self, lin: User) -> None:
        given = record()
        gold = decision(given, lin, kind="gold")
        with pytest.raises(IntegrityError, match="review_record_verdict_proves"):
            declared("UPDATE review_record SET state = 'approved', verdict_id = %s WHERE id = %s", gold.pk, given.pk)


def test_imported_claim_of_verification_is_kept_and_not_believed() -> None:
    given = record(claimed_human_verified=True, claimed_copyright="某人")
    assert not Record.objects.get(pk=given.pk).human_verified
    original = given.originals.get()
    assert (original.claimed_human_verified, original.claimed_copyright) == (True, "某人")


def test_judgement_of_the_factory_sees_the_current_text() -> None:
    given = record()
    assert judgement(given, Verdict.REJECT).seen_revision == given.revision_id


def test_batch_belongs_to_its_source() -> None:
    given = record()
    assert Batch.objects.get(pk=given.batch_id).source_id == given.source_id

"""Faults and attacks of reviewing, each by its number: what a reviewer's session may never do to a record."""

import logging
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from review import claims, decisions, people
from review.models import Claim, Decision, Draft, Record, Role, State, User, Verdict
from review.refused import Refused
from tests.conftest import person
from tests.factories import approve, judgement, record
from tests.review.reviewing import HTMX, address, form, reload, signed_in, text_area

pytestmark = pytest.mark.django_db

WHO = st.sampled_from(["ann", "bo", "cy"])


class Reviewing(RuleBasedStateMachine):
    """Three reviewers claim, decide, give back, skip, undo and lose their leases in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.savepoint = transaction.savepoint_create()
        self.people = {name: person(name, Role.REVIEWER) for name in ("ann", "bo", "cy")}
        self.records = [record() for _ in range(4)]
        Record.objects.filter(pk=self.records[0].pk).update(wanted=2)
        self.before: dict[str, int] = {}

    def teardown(self) -> None:
        transaction.savepoint_rollback(self.savepoint)

    @rule(who=WHO)
    def claim(self, who: str) -> None:
        held = claims.claim_next(by=self.people[who])
        if held is not None:
            self.before[who] = held.record_id

    @rule(who=WHO, verdict=st.sampled_from(Verdict.values), edited=st.booleans())
    def decide(self, who: str, verdict: str, edited: bool) -> None:  # noqa: FBT001  drawn
        """Also late and twice: nobody asks whether the claim still stands."""
        if who not in self.before:
            return
        given = Record.objects.get(pk=self.before[who])
        said = judgement(given, Verdict(verdict), **({"output": f"{who}改的{uuid4()}"} if edited else {}))
        try:
            with transaction.atomic():
                decisions.decide(by=self.people[who], record=given.pk, judgement=said)
        except Refused:
            return

    @rule(who=WHO)
    def give_back(self, who: str) -> None:
        claims.release_claim(by=self.people[who], record=self.before.get(who, 0))

    @rule(who=WHO)
    def lose_the_lease(self, who: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE review_claim SET lease_until = clock_timestamp() - interval '1 second' WHERE reviewer_id = %s",
                [self.people[who].pk],
            )

    @rule(who=WHO)
    def undo(self, who: str) -> None:
        last = decisions.last_decision(self.people[who])
        try:
            with transaction.atomic():
                if last is not None:
                    decisions.undo(by=self.people[who], decision=last)
        except Refused:
            return

    @invariant()
    def nothing_is_held_twice(self) -> None:
        held = list(Claim.objects.values_list("record", flat=True))
        assert len(held) == len(set(held))

    @invariant()
    def every_state_follows_from_the_decisions(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # the proof of every verified record, checked now
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        for given in Record.objects.select_related("verdict"):
            counted = Decision.objects.filter(record=given, round=given.round, withdrawal=None).order_by("pk")
            who = [decision.reviewer_id for decision in counted if decision.verdict != Verdict.REWRITE]
            assert len(who) == len(set(who)) <= given.wanted or given.state == State.DISPUTED
            assert given.human_verified is (given.state == State.APPROVED)
            if given.verdict is not None:
                assert given.verdict in counted
                assert given.verdict.revision_id == given.revision_id


def test_f12_any_history_of_claiming_and_deciding_leaves_every_record_in_order() -> None:
    chosen = settings(
        max_examples=12, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    run_state_machine_as_test(Reviewing, settings=chosen)


@pytest.mark.parametrize("how", ["disabled", "role"])
def test_f14_who_is_shut_out_loses_what_they_hold_and_decides_nothing_more(
    lin: User, mei: User, gao: User, how: str
) -> None:
    given, client = record(), signed_in(lin)
    client.post("/review/next/")
    assert claims.claim_next(by=mei) is None
    if how == "disabled":
        people.disable_person(by=gao, person=lin)
    else:
        people.change_roles(by=gao, person=lin, roles=["consumer"])
    answer = client.post(address("decide", given), form(given))
    assert answer.status_code == (302 if how == "disabled" else 403)
    assert not Decision.objects.exists()
    claim = claims.claim_next(by=User.objects.get(pk=mei.pk))
    assert claim is not None
    assert claim.record_id == given.pk


def test_38_escapes_and_line_ends_in_a_text_make_no_line_of_the_log(
    lin: User, caplog: pytest.LogCaptureFixture
) -> None:
    given = record(instruction="问\x1b[31m红\r\n2026-01-01 CRITICAL root 假的一行", output="答")
    with caplog.at_level(logging.DEBUG):
        client = signed_in(lin)
        client.post(address("decide", given), form(given, output=" "))
        client.get(f"/review/?source=%0d%0aCRITICAL{chr(27)}[31m")
        client.get("/review/records/1%0aCRITICAL/")
    for entry in caplog.records:
        shown = logging.Formatter("%(message)s").format(entry) if entry.exc_info is None else entry.getMessage()
        assert "\x1b" not in shown
        assert "\nCRITICAL" not in shown
        assert "假的一行" not in shown


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_50_a_decision_on_an_old_version_is_refused_and_its_text_kept(
    lin: User, mei: User, headers: dict[str, Any]
) -> None:
    given = record()
    decisions.decide(by=mei, record=given.pk, judgement=judgement(given, Verdict.REWRITE, output="她的答案"))
    answer = signed_in(lin).post(address("decide", given), form(given, output="我的答案"), headers=headers)
    assert answer.status_code == 409
    assert text_area(answer.content, "output") == "我的答案"
    assert "<del>我</del><ins>她</ins>的答案" in answer.content.decode()
    assert Draft.objects.get(reviewer=lin).fields["output"] == "我的答案"
    assert reload(given).revision.output == "她的答案"


def test_51_a_decision_on_what_somebody_else_holds_is_refused(lin: User, mei: User) -> None:
    given = record()
    claims.claim_next(by=mei)
    answer = signed_in(lin).post(address("decide", given), form(given, output="我的答案"))
    assert answer.status_code == 409
    assert text_area(answer.content, "output") == "我的答案"
    assert not Decision.objects.exists()


def test_53_nobody_gives_the_second_look_to_their_own(lin: User, mei: User) -> None:
    written, given = record(output=""), record()
    decisions.decide(by=lin, record=written.pk, judgement=judgement(written, Verdict.REWRITE, output="我写的答案"))
    assert signed_in(lin).post(address("decide", written), form(reload(written))).status_code == 403
    Record.objects.filter(pk=given.pk).update(wanted=2)
    approve(given, lin)
    assert signed_in(lin).post(address("decide", given), form(reload(given))).status_code == 403
    assert not reload(given).human_verified
    approve(given, mei)
    assert reload(given).human_verified

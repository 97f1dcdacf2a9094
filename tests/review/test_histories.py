"""Histories that nobody would think of: after every step of any of them the promises hold.

P1: every record that is read is counted once, and the new ones are there.
P2: no decision that was answered with success is lost, and none is made on a text that has changed meanwhile.
P3: no two people hold a record at once.
P4: a release holds what it held, and is suspended as long as something of it is taken down.
P5: nothing stands under the name of a release but releases that are whole.
P6: the last row of a record's history is what the record is.
P7: no job is lost, though no broker ever hears of one.
P8: nonsense is refused.
P9: what is verified was approved by a permitted person, exactly as it stands.
P10: nothing restricted, objected to or taken down is in the stream, and nothing unknown but for use in the house.
"""

import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test import Client
from hypothesis import HealthCheck, Phase
from hypothesis import settings as bounds
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from pytest_django.fixtures import Settings

from exports import build, cutting, storage
from exports.models import Policy, Release, ReleaseRow
from exports.options import Options
from exports.rows import live_lines
from ingest.models import Job
from review import (
    access,
    claims,
    decisions,
    golds,
    inspections,
    intake,
    overlap,
    restoring,
    retractions,
    rights,
    sending_back,
    workflow,
)
from review.models import (
    Batch,
    Cause,
    Claim,
    Decision,
    Inspection,
    Licence,
    Move,
    Pause,
    Record,
    Revision,
    Role,
    Source,
    State,
    Takedown,
    User,
    Verdict,
    Withdrawal,
)
from review.refused import Refused
from review.waiting import Part
from tests.conftest import person
from tests.factories import add_records, candidate, judgement
from tests.ingest.importing import submitted

pytestmark = [pytest.mark.django_db, pytest.mark.core]

RECORDS = 5
WORDINGS = ("", "一样的改法。", "另一种改法。")
LICENCES = ("CC0-1.0", "CC-BY-NC-4.0", "unknown", "restricted")
NONSENSE = (
    "/review/records/?after=x&q=%00",
    "/review/?category=\udcff",
    "/api/v1/records.jsonl?licence=none",
    "/exports/x/",
)
places = st.integers(0, RECORDS - 1)


class Histories(RuleBasedStateMachine):
    """Reviewers, a settler and a manager at work on a few records, each verb at any time."""

    people: list[User]
    folder: ClassVar[Path]
    """Where releases are built."""

    @initialize()
    def begin(self) -> None:
        self.block = transaction.atomic()
        self.block.__enter__()
        self.people = [
            person("one", Role.REVIEWER),
            person("two", Role.REVIEWER),
            person("three", Role.REVIEWER, Role.SETTLER),
            person("manager", Role.MANAGER),
        ]
        self.batch = add_records("ruozhiba", [candidate(output="" if n == 0 else f"回答{n}") for n in range(RECORDS)])
        self.records = list(Record.objects.filter(batch=self.batch).order_by("pk").values_list("pk", flat=True))
        Record.objects.filter(pk__in=self.records[2:4]).update(wanted=2)
        Record.objects.filter(pk=self.records[4]).update(wanted=3)
        self.new, self.jobs = RECORDS, 0
        self.whole: dict[str, bytes] = {}
        self.answered: dict[int, tuple[str, int]] = {}
        self.frozen: dict[int, set[tuple[int, int, int]]] = {}

    def teardown(self) -> None:
        if hasattr(self, "block"):
            transaction.set_rollback(True)
            self.block.__exit__(None, None, None)
        for built in self.folder.iterdir():
            shutil.rmtree(built)

    # What people do

    def who(self, number: int) -> User:
        return User.objects.get(pk=self.people[number].pk)  # anew: roles and pauses are known once a request

    def try_(self, verb: Any, **said: Any) -> Any:
        try:
            return verb(**said)
        except Refused:
            return None

    def remember(self, decision: Decision | None) -> None:
        if decision is not None:
            self.answered[decision.pk] = (decision.verdict, decision.revision_id)

    @rule(number=st.integers(0, 3), settling=st.booleans())
    def claim(self, number: int, settling: bool) -> None:  # noqa: FBT001  drawn
        purpose = Claim.Purpose.SETTLE if settling else Claim.Purpose.REVIEW
        self.try_(claims.claim_next, by=self.who(number), part=Part(purpose=purpose))

    @rule(number=st.integers(0, 3), at=places, verdict=st.sampled_from(Verdict), wording=st.sampled_from(WORDINGS))
    def decide(self, number: int, at: int, verdict: Verdict, wording: str) -> None:
        by, given = self.who(number), Record.objects.get(pk=self.records[at])
        edits = {"output": wording, "answer_from": "human"} if wording else {}
        said = judgement(given, verdict, **edits)
        self.remember(self.try_(golds.decide, by=by, record=given.pk, judgement=said))

    @rule(number=st.integers(0, 3), at=places)
    def decide_on_an_older_text(self, number: int, at: int) -> None:
        given = Record.objects.get(pk=self.records[at])
        older = given.revisions.exclude(pk=given.revision_id).order_by("number").first()
        if older is None:
            return
        by = self.who(number)
        gold = Claim.objects.filter(record=given, reviewer=by, purpose="gold").exists()
        said = judgement(given, Verdict.APPROVE, seen_revision=older.pk)
        made = self.try_(decisions.decide, by=by, record=given.pk, judgement=said)
        assert made is None or gold

    @rule(number=st.integers(0, 3), at=st.integers(0, 30))
    def undo(self, number: int, at: int) -> None:
        by = self.who(number)
        mine = list(Decision.objects.filter(pk__in=self.answered, reviewer=by).order_by("-pk"))
        if at < len(mine):
            self.try_(golds.undo, by=by, decision=mine[at])

    @rule(number=st.integers(0, 3), at=places)
    def skip(self, number: int, at: int) -> None:
        self.try_(claims.skip_record, by=self.who(number), record=self.records[at])

    @rule(number=st.integers(0, 3), at=places)
    def give_back(self, number: int, at: int) -> None:
        claims.release_claim(by=self.who(number), record=self.records[at])

    @rule()
    def let_leases_end(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE review_claim SET lease_until = clock_timestamp() - interval '1 second'")

    @rule(number=st.integers(0, 3), at=places, to=st.sampled_from([None, "reviewer", 0, 1]))
    def send_back(self, number: int, at: int, to: Any) -> None:
        addressee = self.who(to) if isinstance(to, int) else to
        said: dict[str, Any] = {"records": [self.records[at]], "reason": "再看", "to": addressee}
        self.try_(sending_back.send_back, by=self.who(number), **said)

    @rule(number=st.integers(0, 3), at=places, back=st.integers(0, 5))
    def restore_an_earlier_wording(self, number: int, at: int, back: int) -> None:
        wordings = list(Revision.objects.filter(record=self.records[at]).order_by("-number"))
        earlier = wordings[min(back, len(wordings) - 1)]
        self.try_(restoring.restore_wording, by=self.who(number), revision=earlier, reason="原来的好")

    @rule()
    def cut_a_release(self) -> None:
        """What it holds is releasable now, each record in the wording that its verdict approves."""
        policy = Policy.objects.get(slug="internal")
        version = f"h{Release.objects.count()}"
        release = cutting.cut(version=version, policy=policy, options=Options(), by=self.who(3))
        held = Record.objects.releasable(policy.licences).values_list("pk", "revision", "verdict")
        self.frozen[release.pk] = set(held)

    @rule()
    def build_a_release(self) -> None:
        """All that are cut; one of whose records some were taken down since is refused."""
        for release in Release.objects.filter(state=Release.State.CUT):
            try:
                build.build(release.pk)
            except Refused:
                assert Release.objects.suspended().filter(pk=release.pk).exists()
            else:
                self.whole[release.version] = (storage.folder_of(release) / "manifest.json").read_bytes()

    @rule(number=st.integers(0, RECORDS + 1), wording=st.sampled_from(WORDINGS))
    def bring_in(self, number: int, wording: str) -> None:
        """A line once more, or a new one, in another import; twice, so that one is a duplicate."""
        batch = Batch.objects.create(source=Source.objects.get(slug="ruozhiba"), name="again", by=None)
        lines = [candidate(external_id=f"x{number}", output=f"又一条{number}{wording}")] * 2
        counted = intake.add_records(lines, batch=batch)
        told = (counted.new, counted.changed, counted.unchanged, counted.duplicate, counted.dropped.total())
        assert sum(told) == len(lines)
        self.new += counted.new

    @rule()
    def hand_in_a_file(self) -> None:
        submitted(b'{"instruction": "x"}')
        self.jobs += 1

    @rule(number=st.integers(0, 3), address=st.sampled_from(NONSENSE))
    def ask_nonsense(self, number: int, address: str) -> None:
        client = Client()
        client.force_login(self.who(number))
        assert client.get(address).status_code in {400, 403, 404}

    @rule(at=places, owner=st.sampled_from(["source", "batch", "record"]), licence=st.sampled_from(LICENCES))
    def decide_rights(self, at: int, owner: str, licence: str) -> None:
        record = Record.objects.select_related("source", "batch").get(pk=self.records[at])
        whose = {"source": record.source, "batch": record.batch, "record": record}[owner]
        self.try_(rights.decide_rights, owner=whose, by=self.who(3), licence=licence, holder="某人")

    @rule(number=st.integers(0, 3), at=places)
    def mark_gold(self, number: int, at: int) -> None:
        record = Record.objects.select_related("source").get(pk=self.records[at])
        self.try_(golds.mark, by=self.who(number), record=record, reason="要点")

    @rule(number=st.integers(0, 2), at=places)
    def give_gold(self, number: int, at: int) -> None:
        record = Record.objects.get(pk=self.records[at])
        if record.golds.filter(retired_at=None).exists() and record.state in {State.APPROVED, State.REJECTED}:
            free = not Claim.objects.filter(record=record, reviewer=self.people[number]).exists()
            took_part = record.decisions.filter(reviewer=self.people[number]).exists()
            if free and not took_part:
                claims.claim_gold(by=self.who(number), record=record.pk)

    @rule()
    def lift_pauses(self) -> None:
        for pause in Pause.objects.filter(lifted_at=None).exclude(reviewer=self.people[3]):
            golds.lift(by=self.who(3), pause=pause)

    @rule(looks=st.integers(2, 3))
    def want_more(self, looks: int) -> None:
        source = Source.objects.get(slug="ruozhiba")
        overlap.want_more(by=self.who(3), source=source, share=Decimal(50), looks=looks, seed="s")

    @rule(number=st.integers(2, 3), defect=st.booleans())
    def inspect(self, number: int, defect: bool) -> None:  # noqa: FBT001  drawn
        drawn = Inspection.objects.filter(state="open").first()
        if drawn is None:
            drawn = self.try_(
                inspections.open_inspection,
                by=self.who(3),
                scope=inspections.Scope(),
                sample_size=2,
                acceptance=0,
            )
        item = inspections.next_for(self.who(number), drawn) if drawn else None
        if item:
            verdict = Verdict.REJECT if defect else Verdict.APPROVE
            said = inspections.Said(verdict, uuid4(), "缺字")
            self.remember(self.try_(inspections.inspect, by=self.who(number), item=item, said=said))
        if drawn:
            self.try_(inspections.conclude, by=self.who(3), inspection=drawn, reason="整批打回")

    @rule(at=places)
    def take_down(self, at: int) -> None:
        takedown = Takedown.objects.create(requester="某人", ground="侵权", received_on="2026-01-01")
        one = Record.objects.filter(pk=self.records[at], takedown=None)
        workflow.move(one, cause=Cause.TAKE_DOWN, by=self.who(3), takedown=takedown)

    @rule(at=places)
    def reverse_takedown(self, at: int) -> None:
        one = Record.objects.filter(pk=self.records[at]).exclude(takedown=None)
        workflow.move(one, cause=Cause.TAKE_DOWN, by=self.who(3), takedown=None)

    @rule(sure=st.integers(0, 20))
    def retract(self, sure: int) -> None:
        if sure == 0:
            self.try_(retractions.retract, batch=self.batch, by=self.who(3))

    # What holds after every step

    @invariant()
    def no_decision_is_lost(self) -> None:
        if not hasattr(self, "answered"):
            return
        rows = Decision.objects.filter(pk__in=self.answered).values_list("pk", "verdict", "revision")
        assert {pk: (verdict, revision) for pk, verdict, revision in rows} == self.answered

    @invariant()
    def what_a_release_holds_stays_and_was_approved(self) -> None:
        if not getattr(self, "frozen", None):
            return
        for release, held in self.frozen.items():
            rows = ReleaseRow.objects.filter(release=release).values_list("record", "revision", "verdict")
            assert set(rows) == held
        for row in ReleaseRow.objects.select_related("verdict"):
            assert (row.verdict.approves, row.verdict.revision_id) == (True, row.revision_id)

    @invariant()
    def every_record_that_was_read_is_there(self) -> None:
        assert Record.objects.count() == getattr(self, "new", 0)

    @invariant()
    def every_file_that_was_handed_in_has_its_job(self) -> None:
        assert Job.objects.filter(state=Job.State.QUEUED).count() == getattr(self, "jobs", 0)

    @invariant()
    def a_release_is_suspended_as_long_as_something_of_it_is_taken_down(self) -> None:
        gone = set(ReleaseRow.objects.exclude(record__takedown=None).values_list("release", flat=True))
        assert set(Release.objects.suspended().values_list("pk", flat=True)) == gone

    @invariant()
    def only_whole_releases_have_their_name(self) -> None:
        named = {path.name for path in self.folder.iterdir() if not path.name.startswith(".")}
        whole = getattr(self, "whole", {})
        assert {name: (self.folder / name / "manifest.json").read_bytes() for name in named} == whole

    @invariant()
    def the_history_ends_with_what_is(self) -> None:
        columns = ("round", "revision_id", "verdict_id", "rights_id", "takedown_id", "retraction_id")
        for record in Record.objects.all():
            last = Move.objects.filter(record=record).order_by("-pk").first()
            if last is not None:
                assert last.to_state == record.state
                assert all(getattr(last, name) == getattr(record, name) for name in columns)

    @invariant()
    def nothing_leaves_that_may_not(self) -> None:
        for policy in Policy.objects.all():
            leaving = Record.objects.releasable(policy.licences)
            assert sum(piece.count(b"\n") for piece in live_lines(leaving)) == leaving.count()
            for record in leaving.select_related("rights", "batch__rights", "source__rights"):
                decided = record.rights or record.batch.rights or record.source.rights
                licence = decided.licence if decided else Licence.UNKNOWN
                assert licence not in Licence.never_leaving()
                assert licence != Licence.UNKNOWN or policy.is_internal
                assert (record.takedown_id, record.retraction_id, record.state) == (None, None, State.APPROVED)

    @invariant()
    def no_two_people_hold_a_record(self) -> None:
        held = Claim.objects.filter(purpose__in=["review", "settle"]).values_list("record", flat=True)
        assert len(held) == len(set(held))

    @invariant()
    def what_is_verified_was_approved_as_it_stands(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        for record in Record.objects.select_related("verdict__reviewer"):
            assert record.human_verified is (record.verdict is not None) is (record.state == State.APPROVED)
            if record.verdict:
                said = record.verdict
                assert (said.verdict, said.revision_id, said.round) == ("approve", record.revision_id, record.round)
                assert said.kind in {"review", "settle"}
                assert access.can_review(said.reviewer)
                assert not Withdrawal.objects.filter(decision=said).exists()

    @invariant()
    def the_state_is_what_the_counted_decisions_say(self) -> None:
        for record in Record.objects.select_related("revision"):
            made = decisions._made(record.pk)
            counted = decisions._counted(record, made)
            if not counted and record.state in {State.WAITING, State.UNANSWERED}:
                continue
            if record.state == State.SECOND and record.wanted > len(counted):
                continue
            assert decisions._outcome(record, counted).state == record.state

    @invariant()
    def nobody_looks_twice_in_a_round(self) -> None:
        counting = Decision.objects.filter(kind="review", withdrawal=None).values_list("record", "round", "reviewer")
        assert len(counting) == len(set(counting))


@pytest.fixture(autouse=True)
def folder(settings: Settings, tmp_path: Path) -> None:
    settings.RELEASE_ROOT, settings.UPLOAD_ROOT = tmp_path / "releases", tmp_path / "uploads"
    settings.RELEASE_ROOT.mkdir()
    Histories.folder = settings.RELEASE_ROOT


def test_every_promise_holds_after_every_step_of_any_history() -> None:
    bounded = bounds(
        max_examples=10,
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        derandomize=True,
        phases=[Phase.generate],  # to make a failure small takes minutes: the slow test does that
    )
    run_state_machine_as_test(Histories, settings=bounded)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_promise_holds_in_many_long_histories() -> None:
    long = bounds(
        max_examples=200, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    run_state_machine_as_test(Histories, settings=long)

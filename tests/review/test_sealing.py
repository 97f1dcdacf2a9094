"""The chain over the history: every row once, without gaps; and everything done behind its back is named."""

import json
import threading
from collections.abc import Callable, Iterator
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, transaction
from django.utils import translation

from review import decisions, rights, sealing
from review.models import Decision, Intake, Move, Revision, Rights, Seal, Source, Unsealed, User
from review.sealing import seal, verify
from tests.factories import add_records, approve, candidate, record
from tests.review.forging import forge

pytestmark = [pytest.mark.django_db, pytest.mark.core]


@pytest.fixture
def english() -> Iterator[None]:
    with translation.override("en"):
        yield


def some_history(lin: User) -> Decision:
    """An import, an approval with an edit, one taken back, rights."""
    kept, undone = record(), record()
    made = approve(kept, lin, output="改过的回答。")
    decisions.undo(by=lin, decision=approve(undone, lin))
    rights.decide_rights(Source.objects.get(slug="ruozhiba"), by=None, licence="MIT", holder="某人")
    return made


def test_every_row_of_the_history_is_sealed_once_and_without_gaps(lin: User) -> None:
    before = seal()  # what setting up has left
    some_history(lin)
    waiting = set(Unsealed.objects.values_list("kind", "row"))
    assert {kind for kind, _row in waiting} == {
        "intake",
        "decision",
        "withdrawal",
        "revision",
        "move",
        "rights",
        "source",
    }
    assert seal() == len(waiting)
    assert seal() == 0
    numbers = list(Seal.objects.order_by("no").values_list("no", flat=True))
    assert numbers == list(range(1, before + len(waiting) + 1))
    assert set(Seal.objects.filter(no__gt=before).values_list("kind", "row")) == waiting
    assert list(verify()) == []


def test_an_import_is_sealed_by_its_chunk_and_not_by_record() -> None:
    seal()  # what setting up has left
    batch = add_records("ruozhiba", [candidate() for _ in range(20)])
    assert list(Unsealed.objects.values_list("kind", "row")) == [("intake", Intake.objects.get(batch=batch).pk)]


def test_the_chain_goes_on_over_pages(lin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "PAGE_ROWS", 2)
    some_history(lin)
    assert seal() > 4
    assert list(verify()) == []


FORGERIES: dict[str, tuple[str, str]] = {
    "a decision's verdict": ("UPDATE review_decision SET seconds = 1 WHERE id = {decision}", "decision {decision} was"),
    "a decision's reason": ("UPDATE review_decision SET reason = 'x' WHERE id = {decision}", "decision {decision} was"),
    "a move": ("UPDATE review_move SET at = at - interval '1 day' WHERE id = {move}", "move {move} was changed"),
    "a licence": ("UPDATE review_rights SET licence = 'CC0-1.0' WHERE id = {rights}", "rights {rights} was changed"),
    "a holder": ("UPDATE review_rights SET holder = '我' WHERE id = {rights}", "rights {rights} was changed"),
    "a removed move": ("DELETE FROM review_move WHERE id = {move}", "move {move} was removed"),
    "a text": ("UPDATE review_revision SET output = '假' WHERE id = {revision}", "revision {revision} was changed"),
    "the hash of a person's text": (
        "UPDATE review_revision SET sha256 = sha256('x') WHERE id = {revision}",
        "revision {revision} was changed",
    ),
    "the hash of an imported text": (
        "UPDATE review_revision SET sha256 = sha256('x') WHERE id = {imported}",
        "its wordings were changed or removed",
    ),
    "a raw line": ("UPDATE review_original SET raw = 'x' WHERE record_id = {record}", "its raw lines were changed"),
    "a claimed copyright text": (
        "UPDATE review_original SET claimed_copyright = 'x' WHERE record_id = {record}",
        "its raw lines were changed",
    ),
    "a removed raw line": ("DELETE FROM review_original WHERE record_id = {record}", "its raw lines were changed"),
    "a raw line inserted later": (
        (
            'INSERT INTO review_original (record_id, batch_id, line, "offset", raw)'
            " SELECT record_id, batch_id, 99, 0, raw FROM review_original WHERE record_id = {record}"
        ),
        "was inserted with the history switched off",
    ),
    "the hash of raw lines": ("UPDATE review_intake SET originals = sha256('x')", "was changed, or its seal"),
    "a hash of raw lines that is gone": ("UPDATE review_intake SET originals = NULL", "was changed, or its seal"),
    "a row inserted later": (
        "INSERT INTO review_withdrawal (decision_id, kind, by_id, reason) VALUES ({decision}, 'undo', {person}, '')",
        "was inserted with the history switched off",
    ),
    "an imported text inserted later": (
        (
            "INSERT INTO review_revision (record_id, number, instruction, input, output, task_type, domain, metadata,"
            " answer_from, sha256) SELECT record_id, 99, instruction, input, output, task_type, domain, metadata,"
            " answer_from, sha256 FROM review_revision WHERE id = {imported}"
        ),
        "was inserted with the history switched off",
    ),
    "a record's state": ("UPDATE review_record SET round = 7 WHERE id = {record}", "record {record} does not stand"),
    "a seal's hash": ("UPDATE review_seal SET hash = sha256('x') WHERE no = 3", "or its seal 3"),
    "a removed seal": ("DELETE FROM review_seal WHERE no = 3", "seals 3 to 3 were removed"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forgery_is_named(forgery: str, lin: User, english: None) -> None:
    made = some_history(lin)
    seal()
    names = {
        "decision": made.pk,
        "record": made.record_id,
        "revision": made.revision_id,
        "imported": made.seen_revision_id,
        "person": lin.pk,
        "move": Move.objects.filter(record=made.record_id).get().pk,
        "rights": Rights.objects.order_by("-pk")[0].pk,
    }
    statement, complaint = FORGERIES[forgery]
    forge(statement.format(**names))
    problems = list(verify())
    assert any(complaint.format(**names) in problem for problem in problems), problems


def test_a_row_changed_before_it_was_sealed_and_the_tail_cut_off_shows_by_an_anchor(lin: User, english: None) -> None:
    some_history(lin)
    seal()
    last = sealing.anchor()
    known = (last["seal"], last["sha256"], "v1.0")
    forge("DELETE FROM review_seal WHERE no = %s", last["seal"])
    assert f"seal {last['seal']}, written down in v1.0, is missing" in list(verify(anchors=[known]))


def test_a_chain_that_was_forged_from_its_beginning_shows_by_an_anchor(lin: User, english: None) -> None:
    some_history(lin)
    seal()
    last = sealing.anchor()
    forge("UPDATE review_decision SET seconds = 99")
    forge("INSERT INTO review_unsealed (kind, row) SELECT kind, row FROM review_seal ORDER BY no")
    forge("DELETE FROM review_seal")
    seal()
    assert list(verify()) == []
    assert list(verify(anchors=[(last["seal"], last["sha256"], "v1.0")])) == [
        f"seal {last['seal']} is not the one that was written down elsewhere"
    ]


def test_the_command_names_what_is_wrong(lin: User, english: None) -> None:
    made = some_history(lin)
    seal()
    out = StringIO()
    call_command("audit_verify", "--json", stdout=out, stderr=StringIO())
    said = json.loads(out.getvalue().splitlines()[-1])
    assert (said["ok"], said["problems"], said["waiting"]) == (True, [], 0)
    forge("UPDATE review_decision SET seconds = 99 WHERE id = %s", made.pk)
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("audit_verify", "--json", stdout=out, stderr=StringIO())
    assert f"decision {made.pk} was changed" in json.loads(out.getvalue().splitlines()[-1])["problems"][0]


def in_thread(work: Callable[[], None]) -> threading.Thread:
    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.django_db(transaction=True)
def test_what_commits_late_is_sealed_late_and_never_forgotten(lin: User) -> None:
    begun, may_end = threading.Event(), threading.Event()
    slow, quick = record(), record()

    def decide_slowly() -> None:
        with transaction.atomic():
            approve(slow, lin)
            begun.set()
            may_end.wait(20)

    seal()
    thread = in_thread(decide_slowly)
    assert begun.wait(20)
    rights.decide_rights(quick, by=None, licence="MIT")
    assert seal() == 2
    may_end.set()
    thread.join(20)
    assert seal() == 2
    assert list(Seal.objects.order_by("no").values_list("kind", flat=True))[-2:] == ["decision", "move"]
    assert list(verify()) == []


@pytest.mark.django_db(transaction=True)
def test_one_sealer_works_at_a_time_and_nobody_waits_for_it(lin: User) -> None:
    seal()  # what setting up has left
    made = record()
    locked, may_end = threading.Event(), threading.Event()

    def seal_slowly() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [sealing.LOCK])
            cursor.execute("DELETE FROM review_unsealed")
            locked.set()
            may_end.wait(20)
            transaction.set_rollback(True)

    thread = in_thread(seal_slowly)
    assert locked.wait(20)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = '3s'")
        approve(made, lin)
        add_records("ruozhiba", [candidate()])
        assert seal() == 0
        cursor.execute("SET statement_timeout = 0")
    may_end.set()
    thread.join(20)
    assert seal() == 4
    assert list(verify()) == []


def test_a_sealed_wording_is_that_of_its_hash(lin: User) -> None:
    made = some_history(lin)
    revision = Revision.objects.get(pk=made.revision_id)
    assert sealing.content_of(revision) == bytes(revision.sha256)

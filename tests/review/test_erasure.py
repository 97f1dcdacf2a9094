"""Erasing: every copy of a text goes, what proves it stays, and the database lets nothing else be blanked."""

from collections.abc import Callable

import pytest
from django.db import DatabaseError, connection, transaction

from review import claims, erasure, rights, sealing, takedowns
from review.models import Comment, Decision, Draft, Erased, Original, Record, Revision, Rights, Takedown, User
from review.refused import Refused
from review.tracing import Asked
from tests.factories import approve, record

pytestmark = [pytest.mark.django_db, pytest.mark.core]
SECRET = "只此一处的句子：河床上的石头记得每一场雨。"


@pytest.fixture
def full_of_it(lin: User, mei: User) -> Record:
    """A record whose text stands wherever it can."""
    given = record(instruction=SECRET + "问", output=SECRET, metadata=SECRET, claimed_copyright=SECRET)
    Original.objects.get(record=given)
    approve(given, lin, output=SECRET + "改", reason=f"引用：{SECRET}")
    rights.decide_rights(given, by=None, licence="CC0-1.0", holder=SECRET, evidence=SECRET, note=SECRET)
    Comment.objects.create(record=given, by=lin, round=1, text=SECRET)
    claims.save_draft(by=mei, record=given.pk, seen_revision=given.revision_id, fields={"output": SECRET})
    Comment.objects.create(record=given, by=mei, round=1, text=f"见“{SECRET}”")
    return given


def confirmed(given: Record, **asked: tuple[str, ...]) -> Takedown:
    takedown = takedowns.request(
        by=None, requester="权利人", ground="著作权", asked=Asked(records=(given.pk,), **asked)
    )
    takedowns.confirm(takedown, by=None)
    return takedown


def database_holds(text: str) -> list[str]:
    """Name every table a row of which, written as text, holds these characters."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(
                f'SELECT count(*) FROM "{table}" t WHERE strpos(t::text, %s) > 0 OR strpos(t::text, %s) > 0',
                [text, text.encode().hex()],
            )
            if cursor.fetchone() != (0,):
                found.append(table)
    return found


def test_no_row_holds_the_text_any_more(full_of_it: Record) -> None:
    takedown = confirmed(full_of_it, passages=(SECRET,))
    before = set(database_holds(SECRET))
    assert {
        "review_revision",
        "review_decision",
        "review_rights",
        "review_draft",
        "review_takedown",
        "review_comment",
    } <= before
    assert erasure.erase(takedown, by=None) == 1
    assert database_holds(SECRET) == []
    assert Takedown.objects.get(pk=takedown.pk).state == "erased"
    assert not Draft.objects.exists()
    assert set(Comment.objects.values_list("text", flat=True)) == {"—"}


def test_the_hashes_stay_and_the_chain_holds(full_of_it: Record) -> None:
    sealing.seal()
    takedown = confirmed(full_of_it)
    hashes = dict(Revision.objects.values_list("pk", "sha256"))
    erasure.erase(takedown, by=None)
    sealing.seal()
    assert {pk: bytes(value) for pk, value in Revision.objects.values_list("pk", "sha256")} == {
        pk: bytes(value) for pk, value in hashes.items()
    }
    assert list(sealing.verify()) == []
    assert Record.objects.get(pk=full_of_it.pk).human_verified


def test_what_was_erased_before_it_was_sealed_is_sealed_all_the_same(full_of_it: Record) -> None:
    erasure.erase(confirmed(full_of_it), by=None)
    sealing.seal()
    assert list(sealing.verify()) == []


def test_a_text_put_back_by_hand_is_named(full_of_it: Record) -> None:
    erasure.erase(confirmed(full_of_it), by=None)
    sealing.seal()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE review_revision SET output = '假' WHERE id = %s", [full_of_it.revision_id])
        cursor.execute("SET LOCAL session_replication_role = origin")
    assert len(list(sealing.verify())) == 1


def test_only_what_is_confirmed_is_erased(full_of_it: Record) -> None:
    takedown = confirmed(full_of_it)
    takedowns.reverse(takedown, by=None)
    with pytest.raises(Refused):
        erasure.erase(takedown, by=None)
    assert "review_revision" in database_holds(SECRET)


def test_what_is_due_is_erased_and_what_is_not_waits(full_of_it: Record) -> None:
    due, waiting = confirmed(full_of_it), confirmed(record())
    Takedown.objects.filter(pk=due.pk).update(erase_after="2020-01-01T00:00:00Z")
    assert erasure.erase_due() == 1
    assert [Takedown.objects.get(pk=one.pk).state for one in (due, waiting)] == ["erased", "confirmed"]


def test_others_are_told_before_the_texts_are_gone(full_of_it: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[erasure.Erasing] = []
    monkeypatch.setattr(erasure, "ALSO", [lambda erasing: told.append(erasing) or erasing.needles])
    erasure.erase(confirmed(full_of_it), by=None)
    (erasing,) = told
    assert erasing.records == (full_of_it.pk,)
    assert any(SECRET.encode() in needle for needle in erasing.needles)
    assert any(SECRET.encode("gb18030") in needle for needle in erasing.needles)


def blank(statement: str, *parameters: object, erasing: object = "") -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('cqia.erasing', %s, true)", [str(erasing)])
        cursor.execute(statement, parameters)


class TestGuard:
    """The one opening in what is append-only, and everything that does not fit through it."""

    BLANK = "UPDATE review_decision SET reason = '—' WHERE id = %s"

    @pytest.fixture
    def made(self, full_of_it: Record) -> Decision:
        return Decision.objects.get(record=full_of_it)

    @pytest.fixture
    def takedown(self, made: Decision) -> Takedown:
        takedown = confirmed(made.record)
        Erased.objects.create(takedown=takedown, kind="decision", row=made.pk, hashes={"reason": "…"})
        return takedown

    def refuse(self, work: Callable[[], None]) -> None:
        with pytest.raises(DatabaseError, match="append-only"):
            work()

    def test_blanking_that_is_prepared_passes(self, made: Decision, takedown: Takedown) -> None:
        blank(self.BLANK, made.pk, erasing=takedown.pk)
        assert Decision.objects.get(pk=made.pk).reason == "—"

    @pytest.mark.usefixtures("takedown")
    def test_without_the_setting(self, made: Decision) -> None:
        self.refuse(lambda: blank(self.BLANK, made.pk))

    @pytest.mark.usefixtures("takedown")
    def test_under_another_takedown(self, made: Decision) -> None:
        other = confirmed(record())
        self.refuse(lambda: blank(self.BLANK, made.pk, erasing=other.pk))

    def test_without_the_hashes_kept(self, made: Decision) -> None:
        takedown = confirmed(made.record)
        self.refuse(lambda: blank(self.BLANK, made.pk, erasing=takedown.pk))

    def test_after_the_end_of_the_takedown(self, made: Decision, takedown: Takedown) -> None:
        takedowns.reverse(takedown, by=None)
        self.refuse(lambda: blank(self.BLANK, made.pk, erasing=takedown.pk))

    def test_with_another_text_instead(self, made: Decision, takedown: Takedown) -> None:
        self.refuse(
            lambda: blank("UPDATE review_decision SET reason = '别的' WHERE id = %s", made.pk, erasing=takedown.pk)
        )

    def test_with_something_else_changed(self, made: Decision, takedown: Takedown) -> None:
        statement = "UPDATE review_decision SET reason = '', seconds = 9 WHERE id = %s"
        self.refuse(lambda: blank(statement, made.pk, erasing=takedown.pk))

    def test_deleting(self, made: Decision, takedown: Takedown) -> None:
        self.refuse(
            lambda: blank("DELETE FROM review_rights WHERE record_id = %s", made.record_id, erasing=takedown.pk)
        )
        assert Rights.objects.filter(record=made.record_id).exists()

"""The proof query finds every way in which a record could be marked verified and not be."""

import json
from io import StringIO

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.test import Client

from review import proof
from review.models import Proof, Record, User
from tests.factories import approve, record

pytestmark = [pytest.mark.django_db, pytest.mark.core]


def forge(statement: str, *parameters: object) -> None:
    """Run a statement with triggers and foreign keys off."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement, parameters)
        cursor.execute("SET LOCAL session_replication_role = origin")


@pytest.fixture
def verified(lin: User) -> Record:
    given = record()
    approve(given, lin)
    return Record.objects.get(pk=given.pk)


def test_nothing_is_found_where_all_is_well(verified: Record, lin: User) -> None:
    record()
    edited = record()
    approve(edited, lin, output="改过的回答。")
    done = proof.prove()
    assert (done.verified, done.problems, done.records) == (2, 0, [])
    assert proof.latest() == done


FORGERIES = {
    "another text": "UPDATE review_record SET revision_id = revision_id - 1 WHERE id = %s",
    "another record's decision": "UPDATE review_decision SET record_id = record_id + 1 WHERE record_id = %s",
    "a rejection": "UPDATE review_decision SET verdict = 'reject', reason = 'x' WHERE record_id = %s",
    "gold": "UPDATE review_decision SET kind = 'gold' WHERE record_id = %s",
    "a role that may not": "UPDATE review_decision SET role = 'consumer' WHERE record_id = %s",
    "a reviewer who settles": "UPDATE review_decision SET kind = 'settle' WHERE record_id = %s",
    "a decision that is gone": "DELETE FROM review_decision WHERE record_id = %s",
    "a decision taken back": (
        "INSERT INTO review_withdrawal (decision_id, kind, by_id, reason)"
        " SELECT id, 'undo', reviewer_id, '' FROM review_decision WHERE record_id = %s"
    ),
    "a person who was not permitted then": (
        "INSERT INTO review_roleevent (pgh_created_at, pgh_label, group_id, user_id, id)"
        " SELECT d.at - interval '1 second', 'removed', g.id, d.reviewer_id, 1 FROM review_decision d, auth_group g"
        " WHERE g.name = 'reviewer' AND d.record_id = %s"
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forgery_is_found(forgery: str, verified: Record) -> None:
    forge(FORGERIES[forgery], verified.pk)
    done = proof.prove()
    assert (done.problems, done.records) == (1, [verified.pk])


def test_a_role_that_was_taken_away_later_changes_nothing(verified: Record, lin: User) -> None:
    lin.groups.remove(Group.objects.get(name="reviewer"))
    assert list(proof.unproven()) == []


def test_the_command_fails_where_something_is_found(verified: Record) -> None:
    out = StringIO()
    call_command("prove", "--json", stdout=out, stderr=StringIO())
    assert json.loads(out.getvalue())["ok"] is True
    forge(FORGERIES["a rejection"], verified.pk)
    with pytest.raises(CommandError, match=f"#{verified.pk}"):
        call_command("prove", stdout=StringIO())


def test_the_page_shows_the_latest(verified: Record, client: Client, gao: User) -> None:
    client.force_login(gao)
    assert client.get("/review/proof/").status_code == 200
    forge(FORGERIES["a rejection"], verified.pk)
    proof.prove()
    assert f"#{verified.pk}" in client.get("/review/proof/").content.decode()
    assert Proof.objects.count() == 1

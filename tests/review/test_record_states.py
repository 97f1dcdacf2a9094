"""The moves of a record: every pair of states, under every cause, allowed or refused by the database itself."""

import re
from itertools import product

import pytest
from django.db import IntegrityError, connection, transaction

from review import decisions, workflow
from review.models import ALLOWED, Cause, Decision, Move, Record, State, User, Verdict
from tests.conftest import REPOSITORY
from tests.factories import approve, judgement, record

pytestmark = [pytest.mark.django_db, pytest.mark.core]


def in_state(state: State, lin: User, mei: User) -> Record:
    """A record that came into this state by the verbs."""
    given = record(output="" if state == State.UNANSWERED else "一个回答。")
    if state == State.SECOND:
        Record.objects.filter(pk=given.pk).update(wanted=2)
    verdict = {State.REJECTED: Verdict.REJECT, State.DISPUTED: Verdict.ESCALATE}.get(state)
    if state in {State.SECOND, State.APPROVED}:
        approve(given, lin)
    elif verdict:
        decisions.decide(by=mei, record=given.pk, judgement=judgement(given, verdict))
    found = Record.objects.get(pk=given.pk)
    assert found.state == state
    return found


def approving(given: Record, lin: User) -> Decision:
    """An approving decision on the record as it stands, to be its verdict."""
    return Decision.objects.create(
        record=given,
        revision_id=given.revision_id,
        seen_revision_id=given.revision_id,
        reviewer=lin,
        role="settler",
        kind="settle",
        verdict="approve",
        rights_said="confirm",
        round=given.round,
        request_id=f"00000000-0000-4000-8000-{given.pk:012}",
    )


def moves(given: Record, target: State, cause: Cause | None, verdict: Decision) -> bool:
    """Try a move, and take it back."""
    try:
        with transaction.atomic():
            values = {"state": target, "verdict": verdict if target == State.APPROVED else None, "round": 9}
            one = Record.objects.filter(pk=given.pk)
            if cause is None:
                one.update(**values)
            else:
                workflow.move(one, cause=cause, by=None, **values)
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                cursor.execute("SET CONSTRAINTS ALL DEFERRED")
            assert Move.objects.filter(record=given, cause=cause.value if cause else "", to_state=target).exists()
            transaction.set_rollback(True)
    except IntegrityError as error:
        if "review_move_allowed" not in str(error):
            raise
        return False
    return True


@pytest.mark.parametrize("origin", State)
def test_every_pair_of_states_is_allowed_or_refused_as_the_table_says(origin: State, lin: User, mei: User) -> None:
    given = in_state(origin, lin, mei)
    verdict = approving(given, lin)
    for cause, target in product(Cause, State):
        expected = target in ALLOWED[cause].get(origin, ())
        assert moves(given, target, cause, verdict) is expected, f"{origin} → {target} by {cause}"


def test_nothing_moves_without_a_cause(lin: User, mei: User) -> None:
    for origin in State:
        given = in_state(origin, lin, mei)
        verdict = approving(given, lin)
        assert not any(moves(given, target, None, verdict) for target in State)


def test_the_diagram_has_every_state_and_every_move() -> None:
    drawn = workflow.diagram()
    arrows = {(one, other): set(words.split(", ")) for one, other, words in re.findall(r"(\w+) --> (\w+): (.*)", drawn)}
    expected: dict[tuple[str, str], set[str]] = {}
    for cause, table in ALLOWED.items():
        for origin, targets in table.items():
            for target in targets:
                if origin != target:
                    expected.setdefault((origin.value, target.value), set()).add(cause.value)
    assert {pair: words for pair, words in arrows.items() if pair in expected} == expected
    assert {state.value for pair in arrows for state in map(State, pair)} == set(State.values)


def test_the_diagram_in_the_docs_is_the_table() -> None:
    page = (REPOSITORY / "docs" / "record-states.md").read_text(encoding="utf-8")
    assert f"```mermaid\n{workflow.diagram()}\n```" in page
    assert all(f"`{word}`" in page for word in (*State.values, *Cause.values))

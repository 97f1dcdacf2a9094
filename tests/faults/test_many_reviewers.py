"""Many reviewers over several server processes: no record twice, none lost, no deadlock.

`make reviewers` runs it with 50 reviewers on 10,000 records; in every test run it is a dozen on a hundred.
"""

import os
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.utils import timezone

from bench.reviewing import Reviewer, server
from review.models import Claim, Decision, Move, Record, Revision, State
from tests.factories import add_records, candidate
from tests.faults.processes import database_url

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(7200)]

RECORDS = int(os.environ.get("REVIEWED_RECORDS", "100"))
REVIEWERS = 50 if RECORDS >= 1000 else 12
PROCESSES = 3
PAUSE = 0.2


def end_lease(reviewer: int) -> None:
    """Let what the person holds run out, as it does ten minutes after their browser was closed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE review_claim SET lease_until = clock_timestamp() - interval '1 second' WHERE reviewer_id = %s",
            [reviewer],
        )


def is_left() -> bool:
    """Tell whether a record waits that nobody has decided on."""
    return Record.objects.filter(state=State.WAITING).exists()


def day_of(number: int, port: int) -> Counter[int]:
    """Review until nothing is left: with edits, double clicks, closed browsers and late forms; count the answers."""
    draw, person, answers = random.Random(number), Reviewer(f"many-{number}", port), Counter[int]()
    try:
        while is_left():
            if 'name="seen_revision"' not in person.page:
                answers[person.post("/review/next/", {})] += 1
                time.sleep(PAUSE if 'name="seen_revision"' not in person.page else 0)
                continue
            record, said = person.form()
            address, chance = f"/review/records/{record}/decide/", draw.random()
            said |= draw.choice(
                [
                    {"verdict": "approve", "rights_said": "confirm"},
                    {"verdict": "approve", "rights_said": "confirm", "output": f"第{number}人改的"},
                    {"because": "wrong"},
                ]
            )
            if chance < 0.05:  # the browser is closed, the lease runs out
                end_lease(person.user)
                person.page = ""
                continue
            if chance < 0.1:  # the form comes late; somebody may have taken the record by then
                end_lease(person.user)
            answers[person.post(address, said)] += 1
            if chance > 0.95:  # a double click
                answers[person.post(address, said)] += 1
            if "data-draft" not in person.page:
                person.page = ""
    finally:
        person.connection.close()
        connection.close()
    return answers


def test_many_reviewers_decide_every_record_once() -> None:
    for start in range(0, RECORDS, 1000):
        add_records("ruozhiba", [candidate() for _ in range(min(1000, RECORDS - start))], licence="CC0-1.0")
    with server(workers=PROCESSES, DATABASE_URL=database_url()) as port, ThreadPoolExecutor(REVIEWERS) as pool:
        days = list(pool.map(lambda number: day_of(number, port), range(REVIEWERS)))
    answers = sum(days, Counter[int]())
    assert set(answers) <= {200, 403, 409}, answers
    decided = list(Decision.objects.values_list("record", flat=True))
    assert len(decided) == len(set(decided)) == RECORDS
    assert not Record.objects.exclude(state__in=[State.APPROVED, State.REJECTED]).exists()
    assert not Claim.objects.filter(lease_until__gt=timezone.now()).exists()
    assert Move.objects.count() == RECORDS
    edited = Decision.objects.filter(verdict="approve").exclude(revision__number=1).count()
    assert Revision.objects.count() == RECORDS + edited

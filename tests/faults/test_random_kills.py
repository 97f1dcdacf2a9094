"""A whole system, parts of which are killed at random while it imports: the result is that of an undisturbed run.

`CQIA_FAULT_ROUNDS` says how often (`make faults`: ten times); one round otherwise.
"""

import json
import os
import random
import time
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from tests.faults.processes import until
from tests.faults.system import System, harm, running_system, stop_at_once
from tests.ingest.faulty_lines import line, record

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ROUNDS = int(os.environ.get("CQIA_FAULT_ROUNDS", "1"))
RECORDS = 3000
FORM = "application/x-www-form-urlencoded"
ROUND_SECONDS = 400.0
SUBMIT = (
    "from ingest import jobs; from review.models import Source; import sys; path = {path!r}\n"
    "print('job', jobs.submit(source=Source.objects.get(slug='ruozhiba'), by=None,"
    " files=[('a.jsonl', open(path, 'rb'))]).pk)"
)


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with running_system() as system:
        yield system


def content(round_number: int) -> tuple[bytes, dict[str, list[int]]]:
    """A file for a round, and which of its lines are new, repeated and refused."""
    lines: list[bytes] = []
    known: set[bytes] = set()
    found: dict[str, list[int]] = {"new": [], "repeated": [], "refused": []}
    draw = random.Random(round_number)
    for number in range(1, RECORDS + 1):
        text = line(record(round_number * 1_000_000 + draw.randrange(RECORDS * 3)))
        text = b"[]" if draw.random() < 0.01 else text
        kind = "refused" if text == b"[]" else "repeated" if text in known else "new"
        known.add(text)
        lines.append(text)
        found[kind].append(number)
    return b"\n".join(lines) + b"\n", found


@pytest.mark.parametrize("round_number", range(1, ROUNDS + 1))
def test_killed_at_random_the_result_is_that_of_an_undisturbed_run(system: System, round_number: int) -> None:
    draw = random.Random(round_number)
    path = system.data.parent / f"{round_number}.jsonl"
    lines, expected = content(round_number)
    path.write_bytes(lines)
    job = int(system.manage("shell", "-v", "0", "-c", SUBMIT.format(path=str(path))).split()[-1])
    done: list[str] = []
    end = time.monotonic() + ROUND_SECONDS
    while (state := system.ask("SELECT state FROM ingest_job WHERE id = %s", job)[0][0]) in {"queued", "running"}:
        assert time.monotonic() < end, (state, done)
        if len(done) < 10:
            done.append(harm(system, draw))
        time.sleep(draw.uniform(0.2, 2))
    assert state == "done", done
    where = "FROM {} WHERE batch_id = (SELECT batch_id FROM ingest_job WHERE id = %s) ORDER BY 1"
    originals = system.ask("SELECT line " + where.format("review_original"), job)
    repeated = system.ask("SELECT line " + where.format("review_duplicate"), job)
    refused = system.ask(
        "SELECT r.line FROM ingest_reject r JOIN ingest_chunk c ON c.id = r.chunk_id WHERE c.job_id = %s ORDER BY 1",
        job,
    )
    records = system.ask("SELECT count(*) " + where.format("review_record").replace(" ORDER BY 1", ""), job)
    read = system.ask("SELECT sum(read) FROM ingest_chunk WHERE job_id = %s", job)
    assert [number for (number,) in originals] == expected["new"], done
    assert [number for (number,) in repeated] == expected["repeated"], done
    assert [number for (number,) in refused] == expected["refused"], done
    assert (records, read) == ([(len(expected["new"]),)], [(RECORDS,)])


def test_f22_database_stopped_at_once_in_mid_job(system: System) -> None:
    token = system.manage("create_token", "admin", "--scope", "ingest:write").strip()
    path = system.data.parent / "f22.jsonl"
    lines, expected = content(99)
    path.write_bytes(lines)
    job = int(system.manage("shell", "-v", "0", "-c", SUBMIT.format(path=str(path))).split()[-1])
    until(lambda: system.ask("SELECT count(*) FROM ingest_chunk WHERE job_id = %s", job)[0][0])
    stop_at_once(system)
    while (answer := system.status("/api/v1/ingest/jobs/", token))[0] == 200:
        pass
    assert answer[0] == 503
    assert answer[1] is not None
    until(lambda: system.status("/api/v1/ingest/jobs/", token)[0] == 200)
    until(lambda: system.ask("SELECT state FROM ingest_job WHERE id = %s", job)[0][0] == "done")
    assert system.ask("SELECT sum(read), sum(new) FROM ingest_chunk WHERE job_id = %s", job) == [
        (RECORDS, len(expected["new"]))
    ]


SIT_DOWN = """
import json
from bench.reviewing import Reviewer
person = Reviewer("lin", {port})
person.post("/review/next/", {{}})
record, said = person.form()
print(json.dumps([int(record), said, person.cookie, person.token]))
"""


def test_f22_database_stopped_at_once_in_mid_review(system: System) -> None:
    told = system.manage("shell", "-v", "0", "-c", SIT_DOWN.format(port=system.port))
    given, said, cookie, token = json.loads(told.strip().split("\n")[-1])
    headers = {"Cookie": cookie, "X-CSRFToken": token, "HX-Request": "true", "Content-Type": FORM}
    sent = urlencode(said | {"verdict": "approve", "rights_said": "confirm"})

    def decide() -> tuple[int, str | None]:
        return system.status(f"/review/records/{given}/decide/", method="POST", body=sent, headers=headers)

    stop_at_once(system)
    answers = [decide()]

    def is_answered() -> bool:
        answers.append(decide())
        return answers[-1][0] not in {0, 503}

    until(is_answered)
    assert {status for status, _again in answers} <= {0, 200, 503}
    assert all(again for status, again in answers if status == 503)
    assert decide()[0] == 200
    decisions = "SELECT count(*), min(d.verdict), bool_and(r.verdict_id = d.id AND r.human_verified)"
    found = system.ask(
        f"{decisions} FROM review_decision d JOIN review_record r ON r.id = d.record_id WHERE r.id = %s", given
    )
    assert found == [(1, "approve", True)]

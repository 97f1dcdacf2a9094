"""`manage.py retract_import`."""

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from review.models import Record, Retraction
from tests.ingest.faulty_lines import good_lines
from tests.ingest.importing import counts, imported

pytestmark = [pytest.mark.django_db, pytest.mark.core]

TEN = b"\n".join(good_lines(10))


def run(*words: Any) -> str:
    out = io.StringIO()
    call_command("retract_import", *map(str, words), stdout=out)
    return out.getvalue().strip()


def test_import_is_taken_back_and_can_be_made_again() -> None:
    job = imported(TEN)
    assert run(job.pk, "--reason", "错了") == f"Job {job.pk}: 10 record(s) taken back."
    assert Retraction.objects.get().reason == "错了"
    assert not Record.objects.live().exists()
    assert counts(imported(TEN)) == {"read": 10, "new": 10}


def test_answer_as_json() -> None:
    job = imported(TEN)
    assert json.loads(run(job.pk, "--json")) == {"job": job.pk, "state": "done", "retracted": 10}


def test_refusal_is_a_sentence() -> None:
    job = imported(TEN)
    run(job.pk)
    for pk, status, sentence in ((job.pk, 1, "taken back already"), (4711, 2, "no job")):
        with pytest.raises(CommandError, match=sentence) as caught:
            run(pk)
        assert caught.value.returncode == status

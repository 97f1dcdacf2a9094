"""A public human review, done again through the pages: it must end in exactly its texts."""

import json
from pathlib import Path
from typing import Any

import pytest

from ingest.document import Document
from review.models import Record, State, User
from tests.factories import add_records, candidate
from tests.review.pages import form_of
from tests.review.reviewing import HTMX, signed_in

pytestmark = pytest.mark.django_db


class Pair(dict[str, Any]):
    """What stood before a person looked at it, and what stood after; None where they dropped it."""


def pairs_of(folder: Path) -> list[Pair]:
    before, after = (json.loads((folder / f"ruozhiba_{name}.json").read_text()) for name in ("before", "after"))
    lines = [json.loads(line) for line in (folder / "pairs.jsonl").read_text().split("\n") if line]
    return [
        Pair(before=before[line["before"]], after=None if line["after"] is None else after[line["after"]])
        for line in lines
    ]


def waiting(pairs: list[Pair]) -> list[Document]:
    return [
        candidate(
            instruction=pair["before"]["instruction"],
            output=pair["before"]["output"],
            answer_from="llm",
            external_id=f"pair-{number}",
        )
        for number, pair in enumerate(pairs)
    ]


def replay(lin: User, pairs: list[Pair]) -> None:
    """Review what waits as the person did, from page to page as they come; each answer holds the next record."""
    client = signed_in(lin)
    page = client.get(client.post("/review/next/")["Location"]).content
    for _decision in pairs:
        form = form_of(page)
        texts = dict(form.fields)
        pk = int(form.action.split("/")[3])
        pair = pairs[int(str(Record.objects.get(pk=pk).external_id).removeprefix("pair-"))]
        assert (texts["instruction"], texts["output"]) == (pair["before"]["instruction"], pair["before"]["output"])
        if pair["after"] is None:
            said = form.sent(because="wrong")
        else:
            said = form.sent(verdict="approve", **{name: pair["after"][name] for name in ("instruction", "output")})
        answer = client.post(form.action, said, headers=HTMX)
        assert answer.status_code == 200
        page = answer.content
    assert b"Nothing waits for you" in page


def check(pairs: list[Pair]) -> None:
    """Every record ends in exactly the text of the person, edited ones in one more wording, dropped ones rejected."""
    ended = {record.external_id: record for record in Record.objects.select_related("revision")}
    assert len(ended) == len(pairs)
    for number, pair in enumerate(pairs):
        record = ended[f"pair-{number}"]
        wording = pair["after"] or pair["before"]
        assert (record.revision.instruction, record.revision.output) == (wording["instruction"], wording["output"])
        assert record.state == (State.REJECTED if pair["after"] is None else State.APPROVED)
        assert record.human_verified is (pair["after"] is not None)
        assert record.revision.number == (1 if wording == pair["before"] else 2)


def test_our_own_small_review_ends_in_exactly_its_texts(lin: User) -> None:
    texts = [
        ({"instruction": "问一", "output": "答一\n第二行"}, {"instruction": "问一", "output": "答一\n第二行"}),
        ({"instruction": "问二", "output": "\n答二  \n"}, {"instruction": "问二", "output": "\n答二，改过  \n\n尾"}),
        (
            {"instruction": "问三", "output": "答三\u200b\u3000"},
            {"instruction": "问三？", "output": "答三\u200b\u3000"},
        ),
        ({"instruction": "问四", "output": "<b>&amp;</b>"}, {"instruction": "问四", "output": "</textarea><b>&lt;"}),
        ({"instruction": "问五", "output": "答五"}, None),
    ]
    pairs = [Pair(before=before, after=after) for before, after in texts]
    add_records("ruozhiba", waiting(pairs))
    replay(lin, pairs)
    check(pairs)


@pytest.mark.parametrize(("step", "count"), [(6, 219), pytest.param(1, 1314, marks=pytest.mark.slow)])
def test_real_pairs_end_in_exactly_the_texts_of_the_person(lin: User, shared_data: Path, step: int, count: int) -> None:
    pairs = pairs_of(shared_data / "reviewed")[::step]
    assert len(pairs) == count
    add_records("ruozhiba", waiting(pairs))
    replay(lin, pairs)
    check(pairs)
